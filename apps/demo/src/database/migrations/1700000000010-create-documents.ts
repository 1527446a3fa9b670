import type { MigrationInterface, QueryRunner } from 'typeorm';

/* In chunks, so that neither side ever needs a whole document in memory. */
export class CreateDocuments1700000000010 implements MigrationInterface {
  readonly name = 'CreateDocuments1700000000010';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE documents (
        id         uuid PRIMARY KEY,
        bytes      bigint NOT NULL CHECK (bytes >= 0),
        sha256     text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now()
      )`);
    await runner.query(`
      CREATE TABLE document_chunks (
        document_id uuid NOT NULL REFERENCES documents ON DELETE CASCADE,
        position    integer NOT NULL,
        content     bytea NOT NULL,
        PRIMARY KEY (document_id, position)
      )`);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE document_chunks');
    await runner.query('DROP TABLE documents');
  }
}
