import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { activity } from '../demo/fixtures/database.js';
import { ADAPTERS } from '../demo/fixtures/demo.js';
import { build, Launcher } from '../demo/fixtures/launcher.js';
import { call } from '../support/http-client.js';
import { usePostgres } from './fixtures/postgres.js';

const CLIENTS = 50;
const POOL = 10;

/** A connection that the server has not accepted yet would be reset when it stops to listen. */
async function inFlight(api: string): Promise<number> {
  const { body } = await call(`${api}/_ops/timeouts`);
  return (JSON.parse(body) as { inFlight: unknown[] }).inFlight.length;
}

describe('npm start with SQL under way', () => {
  const postgres = usePostgres();
  let launcher: Launcher | undefined;

  beforeAll(build, 120_000);
  afterEach(() => launcher?.dispose(), 60_000);
  afterAll(() => (launcher = undefined));

  it.each(ADAPTERS)(
    'Q15 SIGTERM leaves no backend behind, and ends every request, on %s',
    async (adapter) => {
      launcher = new Launcher({
        PORT: '0',
        UPSTREAM_PORT: '0',
        DATABASE_URL: postgres.url,
        ADAPTER: adapter,
        APP_ENV: 'development',
        SHUTDOWN_GRACE_PERIOD_SECONDS: '0.3',
      });
      const api = await launcher.url('API');
      const paths = ['/lab/query?seconds=60', '/lab/tx?seconds=60', '/lab/nested?seconds=60'];
      const answers = Array.from({ length: CLIENTS }, (_, n) => call(`${api}${paths[n % 3]}`));
      while ((await inFlight(api)) < CLIENTS || (await activity(postgres.url)).length < POOL);

      launcher.stop();

      for (const { status, headers } of await Promise.all(answers)) {
        expect([status, headers['retry-after']]).toEqual([503, expect.any(String)]);
      }
      expect(await launcher.ended).toBe(0);
      const states = ['active', 'idle', 'idle in transaction', 'idle in transaction (aborted)'];
      await postgres.until('answers-api', 0, ...states);
      expect(launcher.stderr).toBe('');
    },
    60_000,
  );
});
