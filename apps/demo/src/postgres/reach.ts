import { chownSync, cpSync, readdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Account } from './account.js';

const OTHERS_MAY_PASS = 0o001;

/** Whether an account that owns nothing here can get to `path`. */
function isOpenToAll(path: string): boolean {
  const parent = dirname(path);
  if (parent === path) return true;
  return (statSync(parent).mode & OTHERS_MAY_PASS) !== 0 && isOpenToAll(parent);
}

/** A folder for throw-away data that `account` can get to. */
export function reachableTemporaryFolder({ uid }: Account): string {
  const preferred = tmpdir();
  if (uid === undefined) return preferred;
  const candidates = [preferred, '/tmp', '/var/tmp'];
  return candidates.find((folder) => isOpenToAll(join(folder, 'data'))) ?? preferred;
}

/**
 * The folder itself, or a copy below `home` where `account` cannot get to it: a project in root's
 * private folder, as a build machine has it, is closed to everybody else.
 */
export function reachableCopy(folder: string, home: string, { uid, gid }: Account): string {
  if (uid === undefined || gid === undefined || isOpenToAll(join(folder, 'bin'))) return folder;
  const copy = join(home, 'native');
  cpSync(folder, copy, { recursive: true, verbatimSymlinks: true });
  for (const entry of readdirSync(copy, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) chownSync(join(entry.parentPath, entry.name), uid, gid);
  }
  chownSync(copy, uid, gid);
  return copy;
}
