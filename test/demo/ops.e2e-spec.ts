import { describe, expect, it } from '@jest/globals';
import { DrainService } from 'nestjs-timeouts';
import { eventually } from '../support/eventually.js';
import { call, expectProblem } from '../support/http-client.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';
import { ADAPTERS, useDemo } from './fixtures/demo.js';

const HANDLER = 15_000;
const COUNT = {
  asymmetricMatch: (value: unknown) => Number.isInteger(value) && Number(value) >= 0,
};

/** Nobody had to wait for a connection, and no query was cancelled. */
const UNUSED = {
  waiting: 0,
  waits: 0,
  waitedMs: 0,
  abandoned: 0,
  cancelsSent: 0,
  gatesHeld: 0,
  dropped: 0,
};

const demo = useDemo();

describe.each(ADAPTERS)('operations on %s', (adapter) => {
  const ask = async (path: string) => {
    const { status, headers, body } = await call(`${demo.on(adapter).url}${path}`);
    return { status, cache: headers['cache-control'], body: JSON.parse(body) as unknown };
  };
  const port = () => Number(new URL(demo.on(adapter).url).port);
  const leaveOpen = async (path: string) => {
    const client = await RawConnection.open(port());
    client.send(rawRequest('GET', path));
    return client;
  };

  it('is alive, ready and started', async () => {
    const up = { status: 'up' };
    const drain = { ...up, state: 'running' };
    const database = { ...up, responseTime: COUNT };
    const healthy = (info: object) => ({
      status: 200,
      cache: 'no-store',
      body: { status: 'ok', info, error: {}, details: info },
    });

    expect(await ask('/_ops/live')).toEqual(healthy({}));
    expect(await ask('/_ops/ready')).toEqual(healthy({ drain, database }));
    expect(await ask('/_ops/startup')).toEqual(
      healthy({ application: up, migrations: { ...up, responseTime: COUNT } }),
    );
  });

  it('shows an idle service without the request that asks', async () => {
    expect(await ask('/_ops/timeouts')).toEqual({
      status: 200,
      cache: 'no-store',
      body: {
        inFlight: [],
        counters: [],
        late: { count: 0, running: 0, overrunMs: 0 },
        pool: { total: COUNT, idle: COUNT, ...UNUSED },
        drain: { state: 'running' },
        process: { rssBytes: COUNT, heapBytes: COUNT, handles: COUNT, loopDelayMs: COUNT },
      },
    });
  });

  it('lists what is in flight with its age and what it has left', async () => {
    const { monitor } = demo.on(adapter);
    const clients = [await leaveOpen('/lab/skip?ms=60000'), await leaveOpen('/lab/sleep?ms=60000')];
    await eventually(() => monitor.snapshot().inFlight.length === 2, 'two requests');

    const { body } = await ask('/_ops/timeouts');

    for (const client of clients) client.leave();
    const { inFlight } = body as ReturnType<typeof monitor.snapshot>;
    const byRoute = inFlight.toSorted((a, b) => a.route.localeCompare(b.route));
    expect(byRoute).toEqual([
      { route: 'GET /lab/skip', ageMs: COUNT, budgetMs: null },
      { route: 'GET /lab/sleep', ageMs: COUNT, budgetMs: COUNT },
    ]);
    const { ageMs, budgetMs } = byRoute[1]!;
    expect(ageMs + budgetMs!).toBeGreaterThanOrEqual(HANDLER - 2);
    expect(ageMs + budgetMs!).toBeLessThanOrEqual(HANDLER + 2);
    await eventually(() => monitor.snapshot().inFlight.length === 0, 'their end');
  });

  it('counts what ended, by layer, reason and route', async () => {
    expectProblem(await call(`${demo.on(adapter).url}/lab/tight?ms=60000`), 500);

    const { body } = await ask('/_ops/timeouts');

    const layer = 'handler';
    const { counters } = body as { counters: unknown[] };
    expect(counters).toHaveLength(3);
    expect(counters).toEqual(
      expect.arrayContaining([
        { layer, reason: 'disconnect', route: 'GET /lab/skip', count: 1 },
        { layer, reason: 'disconnect', route: 'GET /lab/sleep', count: 1 },
        { layer, reason: 'deadline', route: 'GET /lab/tight', count: 1 },
      ]),
    );
  });

  it('shows the connections that queries hold', async () => {
    const client = await leaveOpen('/lab/query?seconds=60');
    const pool = async () => {
      const { body } = await ask('/_ops/timeouts');
      return (body as { pool: { total: number; idle: number } }).pool;
    };

    const poolOnce = async (isSo: (use: Awaited<ReturnType<typeof pool>>) => boolean) => {
      for (let tries = 0; tries < 1_000; tries++) {
        const use = await pool();
        if (isSo(use)) return use;
      }
      throw new Error(`never came: ${isSo.toString()}`);
    };
    const busy = await poolOnce(({ total, idle }) => total > idle);
    client.leave();
    const over = await poolOnce(({ total, idle }) => total === idle);

    expect(busy).toEqual({ ...UNUSED, total: busy.idle + 1, idle: COUNT });
    expect(over).toEqual({ ...UNUSED, total: busy.total, idle: busy.total, cancelsSent: 1 });
  });

  it('K01 is not ready from the moment it drains, and still alive', async () => {
    const { app } = demo.on(adapter);
    const drained = app.get(DrainService).drain();

    const ready = await ask('/_ops/ready');
    const alive = await ask('/_ops/live');

    const drain = { status: 'down', state: expect.stringMatching(/^(draining|forced)$/) };
    expect(ready).toMatchObject({
      status: 503,
      body: {
        status: 'error',
        info: { database: { status: 'up' } },
        error: { drain },
        details: { drain, database: { status: 'up' } },
      },
    });
    expect(alive.status).toBe(200);
    expect((await ask('/_ops/timeouts')).body).toMatchObject({ drain: { state: drain.state } });
    await drained;
  });
});
