import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { openSync, closeSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Account } from './account.js';
import type { Binaries } from './binaries.js';

const READY_WITHIN_MS = 30_000;
const LINE_OF_STATUS = 7;

/* The data lives as long as the demo, so nothing is worth an fsync. */
const SETTINGS = [
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  'fsync=off',
  'synchronous_commit=off',
  'full_page_writes=off',
  'max_parallel_workers_per_gather=0',
  'log_min_messages=fatal',
  'log_min_error_statement=panic',
].flatMap((setting) => ['-c', setting]);

/** Where a cluster lives and who owns it. */
export interface Home {
  readonly directory: string;
  readonly account: Account;
}

export async function initialise(binaries: Binaries, home: Home): Promise<void> {
  const flags = ['-A', 'trust', '-U', 'postgres', '--no-sync', '-E', 'UTF8', '--locale=C'];
  const initdb = run(binaries.initdb, ['-D', join(home.directory, 'data'), ...flags], home);
  const end = await ended(initdb);
  if (end !== 'code 0') throw new Error(`initdb ended with ${end}\n${log(home)}`);
}

export async function boot(binaries: Binaries, home: Home) {
  const port = await freePort();
  const data = join(home.directory, 'data');
  const server = run(binaries.postgres, ['-D', data, '-p', String(port), ...SETTINGS], home);
  const exited = ended(server);
  const failed = exited.then((end) => {
    throw new Error(`PostgreSQL ended with ${end} before it was ready\n${log(home)}`);
  });
  try {
    await Promise.race([ready(data), failed]);
  } catch (error) {
    server.kill('SIGQUIT');
    throw error;
  }
  return { server, exited, url: `postgres://postgres@127.0.0.1:${port}/postgres` };
}

/* In a session of its own: Ctrl-C must not reach it before the API has finished with it. */
function run(command: string, flags: string[], { directory, account }: Home): ChildProcess {
  const output = openSync(join(directory, 'log'), 'a');
  try {
    return spawn(command, flags, {
      ...account,
      cwd: directory,
      detached: true,
      stdio: ['ignore', output, output],
      env: { PATH: process.env.PATH, SystemRoot: process.env.SystemRoot, LC_ALL: 'C', TZ: 'UTC' },
    });
  } finally {
    closeSync(output);
  }
}

function ended(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('exit', (code, signal) => resolve(signal ?? `code ${code}`));
  });
}

async function ready(data: string): Promise<void> {
  const giveUpAt = performance.now() + READY_WITHIN_MS;
  while (performance.now() < giveUpAt) {
    if (status(data) === 'ready') return;
    await wait(20);
  }
  throw new Error(`PostgreSQL was not ready within ${READY_WITHIN_MS / 1_000} s`);
}

function status(data: string): string | undefined {
  try {
    return readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[LINE_OF_STATUS]?.trim();
  } catch {
    return undefined;
  }
}

function log({ directory }: Home): string {
  return readFileSync(join(directory, 'log'), 'utf8').trimEnd().split('\n').slice(-20).join('\n');
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
