import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';

const COMMAND = 'libs/timeouts/src/check/main.ts';
let folder: string;
let misfit: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'nestjs-timeouts-check-'));
  misfit = join(folder, 'kubernetes.yaml');
  const manifest = readFileSync('deploy/kubernetes.yaml', 'utf8');
  writeFileSync(misfit, manifest.replace('PeriodSeconds: 35', 'PeriodSeconds: 10'));
});

afterAll(() => rmSync(folder, { recursive: true }));

async function run(...args: string[]) {
  const node = ['--no-warnings', '--import', './test/support/run-typescript.mjs', COMMAND];
  const child = spawn(process.execPath, [...node, ...args], { env: { PATH: process.env['PATH'] } });
  const [stdout, stderr, [code]] = await Promise.all([
    text(child.stdout),
    text(child.stderr),
    once(child, 'close'),
  ]);
  return { code: code as unknown, stdout, stderr };
}

describe('nestjs-timeouts check', () => {
  it('exits with 0 when everything fits', async () => {
    const { code, stdout } = await run('check', '--keep-alive', '72s', 'deploy/kubernetes.yaml');

    expect([code, stdout]).toEqual([0, '1 file: everything fits\n']);
  });

  it('exits with 1 and names file, line and fix when something does not', async () => {
    const { code, stdout } = await run('check', misfit);

    expect(code).toBe(1);
    expect(stdout).toMatch(
      /kubernetes\.yaml:\d+ terminationGracePeriodSeconds \(10s\) is too short.*\n {2}fix: set/,
    );
    expect(stdout).toContain('1 file: 2 do not fit');
  });

  it.each([
    [['check', 'nowhere.yaml'], 'nowhere.yaml'],
    [['check', '--keep-alive', 'long', 'deploy/kubernetes.yaml'], '--keep-alive'],
    [['check'], 'usage: nestjs-timeouts check'],
    [['chekc', 'deploy/kubernetes.yaml'], 'usage: nestjs-timeouts check'],
    [['check', '--wrong', 'deploy/kubernetes.yaml'], '--wrong'],
  ])('exits with 2 for %j', async (args, message) => {
    const { code, stderr } = await run(...args);

    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});
