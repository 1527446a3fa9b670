import { afterEach, describe, expect, it } from '@jest/globals';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { HealthThresholds } from 'nestjs-timeouts/terminus';
import { TimeoutsHealthModule } from 'nestjs-timeouts/terminus';
import { withDeadlines } from 'nestjs-timeouts/typeorm';
import { DataSource } from 'typeorm';
import { usePostgres } from '../sql/fixtures/postgres.js';
import { closeApps, STACKS, startApp } from '../support/app.js';
import { block } from '../support/work.js';
import { probe, up } from './fixtures/probe.js';

const COUNT = expect.any(Number);

afterEach(closeApps);

describe.each(STACKS)('thresholds on $adapter, $enforcement', (stack) => {
  const start = (thresholds: HealthThresholds) =>
    startApp(stack, { imports: [TimeoutsHealthModule.forRoot({ thresholds })] });

  it('K05 is ready below its thresholds, and says how it stands', async () => {
    const { url } = await start({ rssBytes: 2 ** 40, loopDelay: '10s', poolWaiting: 10 });

    const { status, body } = await probe(url, '/_ops/ready');

    expect([status, body.info]).toEqual([
      200,
      {
        drain: { ...up, state: 'running' },
        memory: { ...up, rssBytes: COUNT, heapBytes: COUNT },
        eventLoop: { ...up, delayMs: COUNT },
        pool: { ...up, waiting: 0, waitMs: 0 },
      },
    ]);
  });

  it.each([{ rssBytes: 1_000 }, { heapBytes: 1_000 }])(
    'K05 is not ready with more memory than %p',
    async (thresholds) => {
      const { url } = await start(thresholds);

      const { status, body } = await probe(url, '/_ops/ready');

      expect([status, Object.keys(body.details)]).toEqual([503, ['drain', 'memory']]);
      expect(body.error).toEqual({
        memory: { status: 'down', rssBytes: COUNT, heapBytes: COUNT },
      });
    },
  );

  it('K05 is not ready while the event loop is held up, and alive', async () => {
    const { url } = await start({ loopDelay: '300ms' });

    block(2_000);
    const [ready, live] = [await probe(url, '/_ops/ready'), await probe(url, '/_ops/live')];

    expect([ready.status, live.status]).toEqual([503, 200]);
    const { delayMs } = ready.body.error['eventLoop'] as { delayMs: number };
    expect(delayMs).toBeGreaterThan(1_000);
  });
});

describe('thresholds of a database pool', () => {
  const postgres = usePostgres();

  it('K05 is not ready while callers wait too long for a connection', async () => {
    const database = { type: 'postgres', url: postgres.url, poolSize: 1 } as const;
    const thresholds = { poolWait: '500ms', poolWaiting: 5 } as const;
    const { app, url } = await startApp(STACKS[0], {
      imports: [
        TypeOrmModule.forRoot(withDeadlines(database)),
        TimeoutsHealthModule.forRoot({ thresholds }),
      ],
    });
    const source = app.get(DataSource);
    const pool = async () => {
      const { status, body } = await probe(url, '/_ops/ready');
      const { waiting, waitMs } = body.details['pool'] as { waiting: number; waitMs: number };
      return { status, waiting, waitMs };
    };
    const idle = await pool();

    const few = Array.from({ length: 3 }, () => source.query('SELECT pg_sleep(0.9)'));
    const many = Array.from({ length: 4 }, () => source.query('SELECT 1'));
    const crowded = await pool();
    let slow = crowded;
    while (slow.waitMs === 0) slow = await pool();
    await Promise.all([...few, ...many]);
    let after = slow;
    while (after.waitMs > 0) after = await pool();

    expect([idle.status, idle.waiting]).toEqual([200, 0]);
    expect([crowded.status, crowded.waiting]).toEqual([503, 6]);
    expect(slow.status).toBe(503);
    expect(slow.waitMs).toBeGreaterThan(500);
    expect([after.status, after.waiting]).toEqual([200, 0]);
  });
});
