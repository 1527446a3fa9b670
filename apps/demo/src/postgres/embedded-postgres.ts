import { chmodSync, chownSync, mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { databaseAccount } from './account.js';
import { findBinaries } from './binaries.js';
import type { Binaries } from './binaries.js';
import { boot, initialise } from './cluster.js';
import type { Home } from './cluster.js';
import { reachableTemporaryFolder } from './reach.js';
import { watchOver } from './watchdog.js';

const STOP_WITHIN_MS = 10_000;

export interface EmbeddedPostgres {
  readonly url: string;
  /** Settles when the server has ended, asked to or not. */
  readonly exited: Promise<string>;
  /** Ends open sessions, then the server, and removes its data. */
  stop(): Promise<void>;
}

/**
 * Starts a throw-away PostgreSQL on a free port of 127.0.0.1, without Docker: the embedded one, or
 * what `find` gives.
 *
 * @example
 * const postgres = await startPostgres();
 * const client = new Client({ connectionString: postgres.url });
 * await postgres.stop();
 */
export async function startPostgres(
  find: (home: Home) => Binaries = findBinaries,
): Promise<EmbeddedPostgres> {
  const home = makeHome();
  const watchdog = watchOver(home.directory);
  const clear = async (): Promise<void> => {
    await rm(home.directory, { recursive: true, force: true, maxRetries: 5 });
    watchdog.dismiss();
  };
  try {
    const binaries = find(home);
    await initialise(binaries, home);
    const { server, exited, url } = await boot(binaries, home);
    const stop = async (): Promise<void> => {
      server.kill('SIGINT');
      const late = wait(STOP_WITHIN_MS, undefined, { ref: false }).then(() => 'late');
      if ((await Promise.race([exited, late])) === 'late') server.kill('SIGQUIT');
      await exited;
      await clear();
    };
    let stopped: Promise<void> | undefined;
    return { url, exited, stop: () => (stopped ??= stop()) };
  } catch (error) {
    await clear();
    throw error;
  }
}

function makeHome(): Home {
  const account = databaseAccount();
  const directory = mkdtempSync(
    join(reachableTemporaryFolder(account), 'nestjs-timeouts-postgres-'),
  );
  chmodSync(directory, 0o700);
  if (account.uid !== undefined && account.gid !== undefined) {
    chownSync(directory, account.uid, account.gid);
  }
  return { directory, account };
}
