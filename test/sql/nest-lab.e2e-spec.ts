import { describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { TimeoutsMonitor } from 'nestjs-timeouts';
import { activity, idle } from '../demo/fixtures/database.js';
import { ADAPTERS, useDemo } from '../demo/fixtures/demo.js';
import { eventually } from '../support/eventually.js';
import { call } from '../support/http-client.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';
import { ownTimeOf } from './fixtures/own-time.js';

const CLIENTS = 50;
const POOL = 10;
const GONE_WITHIN = 250;
const PATHS = ['/lab/query?seconds=10', '/lab/tx?seconds=10', '/lab/nested?seconds=10'];

const demo = useDemo({ REQUEST_TIMEOUT_SECONDS: '2', SHUTDOWN_GRACE_PERIOD_SECONDS: '0.2' });

describe.each(ADAPTERS)('fifty requests with SQL on %s', (adapter) => {
  const pool = () => demo.on(adapter).monitor.snapshot().pools[0]!;
  const ask = (path: string) => call(`${demo.on(adapter).url}${path}`);

  /** PostgreSQL works for as many of them as the pool has connections; the others wait for one. */
  async function atWork(): Promise<void> {
    const end = performance.now() + 10_000;
    const isBusy = async () => (await activity(demo.databaseUrl)).length === POOL;
    while (!(await isBusy()) || pool().waiting < CLIENTS - POOL) {
      if (performance.now() > end) throw new Error(`never came: ${JSON.stringify(pool())}`);
    }
  }

  async function servesOn(): Promise<void> {
    await eventually(() => pool().idle === pool().total && pool().gatesHeld === 0, 'a whole pool');
    const answers = await Promise.all(Array.from({ length: 30 }, () => ask('/v1/orders?limit=1')));
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 200));
    expect(pool().waiting).toBe(0);
    const { monitor } = demo.on(adapter);
    await eventually(() => monitor.snapshot().inFlight.length === 0, 'the end of all work');
    expect(demo.errors).toEqual([]);
  }

  it.each(PATHS)('Q07 PostgreSQL stops when their clients leave: %s', async (path) => {
    const port = Number(new URL(demo.on(adapter).url).port);
    const clients = await Promise.all(
      Array.from({ length: CLIENTS }, () => RawConnection.open(port)),
    );
    for (const client of clients) client.send(rawRequest('GET', path));
    await atWork();

    const stoppedAfter = await ownTimeOf(() => {
      for (const client of clients) client.leave();
      return idle(demo.databaseUrl);
    });

    expect(stoppedAfter).toBeLessThan(GONE_WITHIN);
    await servesOn();
  });

  it.each(PATHS)('Q07 PostgreSQL stops at their deadline: %s', async (path) => {
    const answers = await Promise.all(Array.from({ length: CLIENTS }, () => ask(path)));
    const stoppedAfter = await ownTimeOf(() => idle(demo.databaseUrl));

    expect(stoppedAfter).toBeLessThan(GONE_WITHIN);
    expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 504));
    // A connection may come free just before the deadline of those who wait for one.
    const layers = answers.map(({ body }) => (JSON.parse(body) as { layer: string }).layer);
    expect(layers.filter((layer) => layer !== 'handler' && layer !== 'pool')).toEqual([]);
    await servesOn();
  });

  it('Q15 shutdown cancels their queries before the pool is destroyed', async () => {
    const { app } = demo.on(adapter);
    const answers = Array.from({ length: CLIENTS }, (_, index) => ask(PATHS[index % 3]!));
    await atWork();

    await app.close();

    expect(await activity(demo.databaseUrl)).toEqual([]);
    const client = new Client({ connectionString: demo.databaseUrl });
    await client.connect();
    const count = `SELECT count(*)::integer AS n FROM pg_stat_activity
                   WHERE application_name = 'answers-api'`;
    const others = ADAPTERS.filter((other) => other !== adapter).map(
      (other) => demo.on(other).app.get(TimeoutsMonitor).snapshot().pools[0]!.total,
    );
    const { rows } = await client.query<{ n: number }>(count);
    await client.end();
    expect(rows).toEqual([{ n: others.reduce((sum, total) => sum + total, 0) }]);
    for (const { status, headers } of await Promise.all(answers)) {
      expect([status, headers['retry-after']]).toEqual([503, expect.any(String)]);
    }
    expect(demo.errors).toEqual([]);
  });
});
