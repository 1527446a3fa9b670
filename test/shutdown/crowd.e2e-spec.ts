import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { createUpstream } from '../../apps/upstream/src/upstream.js';
import type { TestDatabase } from '../demo/fixtures/database.js';
import { startDatabase } from '../demo/fixtures/database.js';
import { Instance } from '../rolling/fixtures/instance.js';
import { freePort } from '../rolling/fixtures/ports.js';
import { call } from '../support/http-client.js';
import type { Answer, Call } from '../support/http-client.js';

const GRACE = 3_000;
const FORCED = 3_000;

const upstream = createUpstream();
let database: TestDatabase;

beforeAll(async () => {
  upstream.listen(0, '127.0.0.1');
  [database] = await Promise.all([startDatabase(), once(upstream, 'listening')]);
});

afterAll(async () => {
  upstream.close();
  upstream.closeAllConnections();
  await database.stop();
});

async function backends(): Promise<number> {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  const { rowCount } = await client.query(
    `SELECT 1 FROM pg_stat_activity WHERE application_name = 'answers-api'`,
  );
  await client.end();
  return rowCount!;
}

function stream(tokens: number): Call {
  return {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: `{"messages":[{"role":"user","content":"hi"}],"stream":true,"tokens":${tokens},"intervalMs":20}`,
  };
}

describe.each(['express', 'fastify'])('SIGTERM with 200 in flight on %s', (adapter) => {
  let api: Instance;

  beforeAll(async () => {
    const service = {
      script: 'apps/demo/src/main.ts',
      execArgv: ['--no-warnings', '--import', './test/support/run-typescript.mjs'],
      readyPath: '/_ops/ready',
      env: {
        ADAPTER: adapter,
        DATABASE_URL: database.url,
        UPSTREAM_URL: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
        REQUEST_TIMEOUT_SECONDS: '120',
        SHUTDOWN_GRACE_PERIOD_SECONDS: `${GRACE / 1_000}`,
      },
    };
    api = new Instance(service, await freePort());
    await api.start();
  });

  afterAll(() => api.end());

  it('G04 G05 G08 Q15 what can finish does, the rest is cancelled, and the count is right', async () => {
    const url = `http://127.0.0.1:${api.port}`;
    const many = (count: number, path: string, options?: Call) =>
      Array.from({ length: count }, () => call(`${url}${path}`, options));
    const short = many(145, '/lab/sleep?ms=2500');
    const queries = many(5, '/lab/query?seconds=2');
    const finishing = many(10, '/v1/chat/completions', stream(100));
    const streaming = many(10, '/v1/chat/completions', stream(100_000));
    const sleeping = many(5, '/lab/query?seconds=60');
    const waiting = many(5, '/lab/sleep?ms=60000');
    const deaf = many(20, '/lab/deaf?ms=60000');
    await inFlight(url, 200);

    const signalledAt = performance.now();
    const stopped = api.stop().then(() => performance.now() - signalledAt);

    const statuses = async (answers: Promise<Answer>[]) =>
      new Set((await Promise.all(answers)).map(({ status }) => status));
    expect(await statuses(short)).toEqual(new Set([200]));
    expect(await statuses(queries)).toEqual(new Set([200]));
    for (const { body } of await Promise.all(finishing)) expect(body).toContain('[DONE]');
    for (const { body } of await Promise.all(streaming)) {
      expect(body).toMatch(/event: error\ndata: .*"shutting_down"/);
    }
    expect(await statuses([...sleeping, ...waiting, ...deaf])).toEqual(new Set([503]));
    expect(await stopped).toBeLessThan(GRACE + FORCED);
    expect(api.output).toMatch(/Drained in \d\.\d s: 160 finished, 20 cancelled, 20 forced/);
    expect(await backends()).toBe(0);
  });
});

async function inFlight(url: string, count: number): Promise<void> {
  for (;;) {
    const { body } = await call(`${url}/_ops/timeouts`);
    const { inFlight: open } = JSON.parse(body) as { inFlight: unknown[] };
    if (open.length === count) return;
  }
}
