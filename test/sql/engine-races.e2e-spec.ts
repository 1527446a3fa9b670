import { describe, expect, it } from '@jest/globals';
import type { DataSource } from 'typeorm';
import { isCancelled } from 'nestjs-timeouts';
import { contextOf } from '../../libs/timeouts/src/typeorm/deadline-pool.js';
import { connect, ENGINE, poolOf, Work } from './fixtures/engine.js';
import { ACTIVE, IN_TRANSACTION, usePostgres } from './fixtures/postgres.js';
import { servers } from './fixtures/servers.js';
import type { WireOptions } from './fixtures/wire.js';
import { Wire } from './fixtures/wire.js';

const OPERATIONS = 3_000;
const AT_ONCE = 12;
const LONGEST_MS = 20;
/** Far longer than what the network adds. */
const LONGEST_SLOW_MS = 60;

interface Toll {
  cancelled: number;
  /** Queries nobody asked to cancel, and their failures. */
  victims: string[];
}

/** Pseudo-random, so that a run can be looked at again. */
function dice(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

const operations: ((source: DataSource, ms: number) => Promise<unknown>)[] = [
  (source, ms) => source.query('SELECT pg_sleep($1)', [ms / 1_000]),
  (source, ms) => source.query(`SELECT pg_sleep(${ms / 1_000})`),
  (source, ms) => source.transaction((tx) => tx.query('SELECT pg_sleep($1)', [ms / 1_000])),
  (source, ms) =>
    source.transaction(async (tx) => {
      await tx.query('SELECT 1');
      await Promise.all([1, 2].map(() => tx.query('SELECT pg_sleep($1)', [ms / 2_000])));
    }),
];

/** A third of the operations are cancelled about when they end; the others share their connections. */
async function race(
  source: DataSource,
  count: number,
  longestMs: number,
  stretch: number,
): Promise<Toll> {
  const random = dice(count);
  const toll: Toll = { cancelled: 0, victims: [] };
  let started = 0;
  const one = async () => {
    const operation = operations[Math.floor(random() * operations.length)]!;
    const work = new Work();
    const isVictim = random() > 0.35;
    const ms = random() * longestMs * (isVictim ? 1 : stretch);
    const reasons = ['disconnect', 'explicit', 'deadline'] as const;
    const reason = reasons[Math.floor(random() * 3)]!;
    const alarm = setTimeout(
      () => isVictim || work.scope.cancel(reason),
      random() * longestMs * 1.4,
    );
    try {
      await work.run(() => operation(source, ms));
    } catch (error) {
      if (!isVictim && isCancelled(error)) toll.cancelled++;
      else toll.victims.push(String(error));
    }
    clearTimeout(alarm);
  };
  const line = async () => {
    while (started++ < count) await one();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, line));
  return toll;
}

const WIRES: [string, WireOptions | undefined, number][] = [
  ['directly', undefined, OPERATIONS],
  ['through a slow network', { delayMs: 1 }, OPERATIONS / 4],
  ['with cancels that take longer', { cancelDelayMs: 4 }, OPERATIONS],
];

describe.each(servers)('cancels that race on PostgreSQL $version', (server) => {
  const share = server === servers[0] ? 1 : 1 / 3;
  const postgres = usePostgres(server);

  async function toll(isGated: boolean, count: number, options?: WireOptions): Promise<Toll> {
    const wire = options && (await Wire.open(postgres.url, options));
    const source = await connect(wire?.url ?? postgres.url, { poolSize: 4 });
    const context = contextOf(poolOf(source));
    context.isGated = isGated;
    try {
      const longestMs = options?.delayMs ? LONGEST_SLOW_MS : LONGEST_MS;
      // Long enough for most cancels to find it running; without the gate, short enough to miss it.
      const taken = await race(source, count, longestMs, isGated ? 3 : 1);
      if (!isGated) return taken;
      await postgres.until(ENGINE, 0, ACTIVE, ...IN_TRANSACTION);
      expect(context.stats).toMatchObject({ gatesHeld: 0, dropped: 0, waiting: 0 });
      expect(context.stats.cancelsSent).toBeGreaterThan(count / 100);
      expect(poolOf(source).totalCount).toBe(4);
      return taken;
    } finally {
      await source.destroy();
      await wire?.close();
    }
  }

  it.each(WIRES)(
    'Q08 hit nobody else %s',
    async (_, wire, all) => {
      const count = all * share;
      const { cancelled, victims } = await toll(true, count, wire);
      expect(victims).toEqual([]);
      expect(cancelled).toBeGreaterThan(count / 10);
    },
    120_000,
  );

  it('Q08 hit others where nothing is held back meanwhile', async () => {
    const { victims } = await toll(false, OPERATIONS, { cancelDelayMs: 4 });
    const hit = victims.filter((error) => /57014|cancel/.test(error)).length;
    expect(hit).toBeGreaterThan(3);
  }, 120_000);
});

describe('transactions that end while they are cancelled', () => {
  const postgres = usePostgres();

  it('Q09 leaves each either done or undone, as its caller was told', async () => {
    await postgres.query('CREATE TABLE kept (n integer)');
    const source = await connect(postgres.url, { poolSize: 4 });
    const random = dice(9);
    const told: number[] = [];
    const faults: unknown[] = [];
    const line = async (first: number) => {
      for (let n = first; n < 400; n += 4) {
        const work = new Work();
        setTimeout(() => work.scope.cancel('disconnect'), random() * 6);
        const insert = async () => {
          await source.transaction((tx) => tx.query('INSERT INTO kept VALUES ($1)', [n]));
          told.push(n);
        };
        await work.run(insert).catch((error) => error === work.scope.error || faults.push(error));
      }
    };
    await Promise.all([0, 1, 2, 3].map(line));
    await postgres.until(ENGINE, 0, ACTIVE, ...IN_TRANSACTION);
    expect(faults).toEqual([]);
    const rows = await postgres.query<{ n: number }>('SELECT n FROM kept');
    const numbers = (list: number[]) => list.toSorted((a, b) => a - b);
    expect(numbers(rows.map(({ n }) => n))).toEqual(numbers(told));
    await source.destroy();
  }, 60_000);
});
