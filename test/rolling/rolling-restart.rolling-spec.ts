import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client } from 'pg';
import { createUpstream } from '../../apps/upstream/src/upstream.js';
import type { TestDatabase } from '../demo/fixtures/database.js';
import { startDatabase } from '../demo/fixtures/database.js';
import type { BalancerName } from './fixtures/balancer.js';
import { createBalancer, findProgram } from './fixtures/balancer.js';
import type { Service } from './fixtures/instance.js';
import type { Load } from './fixtures/load.js';
import { restartUnderLoad } from './fixtures/rolling-restart.js';

const RESTARTS = 10;
const BARE_RESTARTS = 3;
const PER_SECOND = 320;
const LONG = 180_000;
const FROM_SOURCE = ['--no-warnings', '--import', './test/support/run-typescript.mjs'];

const upstream = createUpstream();
let database: TestDatabase;
let demo: Service;
let bare: Service;

beforeAll(async () => {
  upstream.listen(0, '127.0.0.1');
  [database] = await Promise.all([startDatabase(), once(upstream, 'listening')]);
  const env = { DATABASE_URL: database.url };
  const readyPath = '/_ops/ready';
  demo = {
    script: 'apps/demo/src/main.ts',
    execArgv: FROM_SOURCE,
    readyPath,
    env: {
      ...env,
      UPSTREAM_URL: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
      SHUTDOWN_READINESS_DELAY_SECONDS: '2.5',
      SHUTDOWN_GRACE_PERIOD_SECONDS: '10',
    },
  };
  bare = { script: 'test/rolling/fixtures/bare.ts', execArgv: FROM_SOURCE, readyPath, env };
});

afterAll(async () => {
  upstream.close();
  upstream.closeAllConnections();
  await database.stop();
});

/** How often each of these customers has an order; one is right. */
async function ordersOf(customers: readonly string[]): Promise<Map<number, number>> {
  const client = new Client({ connectionString: database.url });
  await client.connect();
  const { rows } = await client.query<{ times: number; customers: number }>(
    `SELECT times::int, count(*)::int AS customers FROM (
       SELECT count(o.id) AS times FROM unnest($1::text[]) AS c LEFT JOIN orders o ON o.customer = c
       GROUP BY c) AS counted GROUP BY times`,
    [customers],
  );
  await client.end();
  return new Map(rows.map((row) => [row.times, row.customers]));
}

function report(what: string, load: Load): void {
  const failures = [...load.failures].map(([why, count]) => `\n    ${count} × ${why}`).join('');
  process.stdout.write(
    `  ${what}: ${load.sent} requests, ${load.rate.toFixed(0)}/s, ${load.failed} failed${failures}\n`,
  );
}

describe.each<BalancerName>(['nginx', 'haproxy'])('a rolling restart behind %s', (name) => {
  const program = findProgram(name);

  if (!program) {
    it(`G11 is not tried: ${name} is not installed`, () => expect(program).toBeUndefined());
    return;
  }

  it(
    `G11 ${RESTARTS} restarts fail, reset and duplicate no request`,
    async () => {
      const load = await restartUnderLoad({
        service: demo,
        balancer: createBalancer(name, program),
        restarts: RESTARTS,
        perSecond: PER_SECOND,
      });
      report(`the demo behind ${name}, ${RESTARTS} restarts`, load);

      expect(Object.fromEntries(load.failures)).toEqual({});
      expect(load.rate).toBeGreaterThanOrEqual(300);
      expect(await ordersOf(load.acknowledged)).toEqual(new Map([[1, load.acknowledged.length]]));
    },
    LONG,
  );

  it(
    'G11 bare Nest, beside it, loses requests',
    async () => {
      const load = await restartUnderLoad({
        service: bare,
        balancer: createBalancer(name, program),
        restarts: BARE_RESTARTS,
        perSecond: PER_SECOND,
      });
      report(`bare Nest behind ${name}, ${BARE_RESTARTS} restarts`, load);

      // nginx asks the next one where it may, so that now and then nothing is lost behind it.
      expect(load.failed).toBeGreaterThanOrEqual(name === 'haproxy' ? 1 : 0);
    },
    LONG,
  );
});
