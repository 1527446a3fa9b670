import { Client } from 'pg';

/** A look at PostgreSQL from outside the API. */
export class Database {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** What the API's connections are executing right now. */
  async running(): Promise<string[]> {
    const rows = await this.#query<{ query: string }>(
      `SELECT query FROM pg_stat_activity
       WHERE application_name = 'answers-api' AND state = 'active'`,
    );
    return rows.map(({ query }) => query);
  }

  /** How many documents it has, or parts of some. */
  async documents(): Promise<number> {
    const rows = await this.#query(
      'SELECT id FROM documents UNION SELECT document_id FROM document_chunks',
    );
    return rows.length;
  }

  async #query<T extends object>(text: string): Promise<T[]> {
    const client = new Client({ connectionString: this.#url });
    await client.connect();
    try {
      const { rows } = await client.query<T>(text);
      return rows;
    } finally {
      await client.end();
    }
  }
}
