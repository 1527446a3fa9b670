import { execFileSync } from 'node:child_process';

/** Who PostgreSQL runs as; empty for "whoever we are". */
export interface Account {
  readonly uid?: number;
  readonly gid?: number;
}

/** PostgreSQL refuses to run as root, so root lends it an account that exists everywhere. */
export function databaseAccount(): Account {
  if (process.getuid?.() !== 0) return {};
  const account = lookUp('postgres') ?? lookUp('nobody');
  if (!account) throw new Error('PostgreSQL does not run as root, and there is no user for it');
  return account;
}

function lookUp(user: string): Account | undefined {
  try {
    return { uid: id('-u', user), gid: id('-g', user) };
  } catch {
    return undefined;
  }
}

function id(flag: string, user: string): number {
  const answer = execFileSync('id', [flag, user], { stdio: ['ignore', 'pipe', 'ignore'] });
  return Number(answer.toString());
}
