import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect } from 'node:net';
import { eventually } from '../support/eventually.js';
import { call } from '../support/http-client.js';
import type { TestDatabase } from './fixtures/database.js';
import { databaseToLend } from './fixtures/database.js';
import { ADAPTERS } from './fixtures/demo.js';
import { build, Launcher } from './fixtures/launcher.js';
import { processTree, running } from './fixtures/process-tree.js';

const ANY_PORT = { PORT: '0', UPSTREAM_PORT: '0' };

let launcher: Launcher | undefined;
let lent: TestDatabase | undefined;

function launch(variables: Readonly<Record<string, string>>): Launcher {
  launcher = new Launcher({ ...(lent && { DATABASE_URL: lent.url }), ...variables });
  return launcher;
}

async function whyRefused(url: string): Promise<string | undefined> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  try {
    await once(socket, 'connect');
    return undefined;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  } finally {
    socket.destroy();
  }
}

describe('npm start', () => {
  beforeAll(build, 120_000);

  beforeAll(async () => {
    lent = await databaseToLend();
  });

  afterAll(() => lent?.stop());

  afterEach(async () => {
    await launcher?.dispose();
    launcher = undefined;
  }, 60_000);

  it.each(ADAPTERS)(
    'G01 serves on %s, and SIGTERM lets what is in flight finish and leaves nothing',
    async (adapter) => {
      const demo = launch({ ...ANY_PORT, ADAPTER: adapter, APP_ENV: 'development' });
      const api = await demo.url('API');
      const urls = [api, await demo.url('upstream')];
      if (!lent) urls.push(await demo.url('PostgreSQL'));
      const orders = await call(`${api}/v1/orders?limit=2`);
      expect(orders.status).toBe(200);
      expect((JSON.parse(orders.body) as { items: unknown[] }).items).toHaveLength(2);
      const pids = processTree(demo.pid);
      // The launcher, and what listens.
      expect(pids.length).toBeGreaterThan(urls.length);
      const inFlight = call(`${api}/lab/sleep?ms=1500`);
      await seen(api, 'GET /lab/sleep');

      demo.stop();

      expect(await inFlight).toMatchObject({ status: 200, whole: true });
      expect(await demo.ended).toBe(0);
      expect(demo.stderr).toBe('');
      await eventually(() => running(pids).length === 0, `the end of ${pids.join(', ')}`);
      expect(await Promise.all(urls.map(whyRefused))).toEqual(urls.map(() => 'ECONNREFUSED'));
      expect(demo.leftovers()).toEqual([]);
    },
    60_000,
  );

  it('P06 ends with every fault of the environment, and starts nothing', async () => {
    const demo = launch({ PORT: 'x', UPSTREAM_PORT: '0', REQUEST_TIMEOUT_SECONDS: 'abc' });

    expect(await demo.ended).toBe(1);

    const [title, ...faults] = demo.stderr.trim().split('\n');
    expect(title).toBe('The environment is wrong:');
    expect(faults).toHaveLength(2);
    expect(faults[0]).toMatch(/- PORT must be a port .* not "x"/);
    expect(faults[1]).toMatch(/- REQUEST_TIMEOUT_SECONDS\b.*"abc"/);
    expect(demo.stdout).toBe('');
    expect(demo.leftovers()).toEqual([]);
  });
});

/** Waits until the API lists `route` among what is in flight. */
async function seen(api: string, route: string): Promise<void> {
  for (;;) {
    const { body } = await call(`${api}/_ops/timeouts`);
    const { inFlight } = JSON.parse(body) as { inFlight: { route: string }[] };
    if (inFlight.some((scope) => scope.route === route)) return;
  }
}
