import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** The part of its command line that makes a mode what it is. */
const MODES = {
  headers: ['-H', '-i', '1', '-x', '24'],
  body: ['-B', '-i', '1', '-s', '8192', '-x', '10'],
  read: ['-X', '-w', '10', '-y', '20', '-n', '1', '-z', '32'],
};

export async function hasSlowhttptest() {
  return run('slowhttptest', ['-h']).then(
    () => true,
    (error) => error.code !== 'ENOENT',
  );
}

/** Opens all connections within a second, and counts every second how many are left. */
export async function slowhttptest(mode, url, { connections, seconds }) {
  const folder = mkdtempSync(join(tmpdir(), 'slowhttptest-'));
  const file = join(folder, 'curve');
  const size = ['-c', `${connections}`, '-r', `${connections}`, '-l', `${seconds}`];
  try {
    const args = [...MODES[mode], ...size, '-p', '3', '-v', '1', '-u', url, '-g', '-o', file];
    const env = { ...process.env, TERM: 'xterm' };
    const { stdout } = await run('slowhttptest', args, { env, maxBuffer: 2 ** 24 });
    return read(stdout, readFileSync(`${file}.csv`, 'utf8'));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** It ends when nothing is open any more, or when its time is up. */
function read(output, csv) {
  const ended = /Test ended on (\d+)/.exec(output);
  if (!ended) throw new Error(`slowhttptest did not run:\n${output}`);
  const [, ...lines] = csv.trim().split('\n');
  const open = lines.map((line) => {
    const [, , pending, connected] = line.split(',').map(Number);
    return pending + connected;
  });
  const allGone = /No open connections left/.test(output);
  return {
    opened: Math.max(...open),
    left: allGone ? 0 : open.at(-1),
    lastGoneAfterMs: allGone ? Number(ended[1]) * 1_000 : undefined,
  };
}
