import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a TypeScript file, and the library from source, in a process of its own. */
export async function runTypescript(
  file: string,
  variables: Readonly<Record<string, string>> = {},
): Promise<Run> {
  const child = spawn(
    process.execPath,
    ['--no-warnings', '--import', './test/support/run-typescript.mjs', file],
    { env: { PATH: process.env['PATH'], NO_COLOR: '1', ...variables } },
  );
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close') as Promise<[number | null]>,
  ]);
  return { code, stdout, stderr };
}
