import type { MigrationInterface, QueryRunner } from 'typeorm';

const CUSTOMERS = ['ada', 'alan', 'barbara', 'edsger', 'grace', 'john', 'katherine', 'margaret'];
const ROWS = 120_000;

/** A year of orders, the same ones at every start. */
export class SeedOrders1700000000001 implements MigrationInterface {
  readonly name = 'SeedOrders1700000000001';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      `INSERT INTO orders (customer, amount_cents, created_at)
       SELECT ($1::text[])[1 + (n * 7919) % $2],
              100 + (n::bigint * 104729) % 50000,
              timestamptz '2026-01-01' + (n % 365) * interval '1 day' + (n % 1440) * interval '1 min'
       FROM generate_series(1, $3::integer) AS n`,
      [CUSTOMERS, CUSTOMERS.length, ROWS],
    );
    await runner.query('ANALYZE orders');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DELETE FROM orders WHERE id <= $1', [ROWS]);
  }
}
