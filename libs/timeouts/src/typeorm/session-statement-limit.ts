import type { DataSource, QueryRunner } from 'typeorm';

const UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  min: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const known = new WeakMap<DataSource, number>();

/**
 * The `statement_timeout` that sessions start with, as their role, their database or the application
 * has it; `Infinity` for none. Asked for once, in a way that takes no snapshot: what may only come
 * before the first query of a transaction may still come.
 */
export async function sessionStatementMs(
  dataSource: DataSource,
  queryRunner: QueryRunner,
): Promise<number> {
  let limitMs = known.get(dataSource);
  if (limitMs === undefined) {
    const [row] = (await queryRunner.query('SHOW statement_timeout')) as unknown as [
      { readonly statement_timeout: string },
    ];
    limitMs = toMs(row.statement_timeout);
    known.set(dataSource, limitMs);
  }
  return limitMs;
}

/** PostgreSQL shows a time in the largest unit that leaves a whole number. */
function toMs(shown: string): number {
  const [, amount, unit] = /^(\d+)(ms|s|min|h|d)$/.exec(shown) ?? [];
  return unit ? Number(amount) * UNITS[unit]! : Infinity;
}
