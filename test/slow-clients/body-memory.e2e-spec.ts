import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';

const MB = 2 ** 20;
const SIZE = 128 * MB;
/** Far below what would be buffered, and above what the allocator keeps for a while. */
const ROOM = 48 * MB;

function* zeros(): Generator<Buffer> {
  const chunk = Buffer.alloc(256 * 1_024);
  for (let sent = 0; sent < SIZE; sent += chunk.length) yield chunk;
}

describe.each(['express', 'fastify'])('a big upload to disk, on %s', (adapter) => {
  let folder = '';
  let server: ChildProcess;

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'upload-'));
    server = spawn(
      process.execPath,
      [
        '--no-warnings',
        '--import',
        './test/support/run-typescript.mjs',
        'test/slow-clients/fixtures/upload-to-disk.ts',
      ],
      {
        env: { PATH: process.env['PATH'], ADAPTER: adapter, UPLOAD_FILE: join(folder, 'upload') },
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
  });
  afterEach(async () => {
    server.kill('SIGKILL');
    await once(server, 'close');
    await rm(folder, { recursive: true });
  });

  it('B08 keeps memory flat: nothing of it is buffered', async () => {
    const [port] = (await once(server.stdout!, 'data')) as [Buffer];
    const upload = request({
      host: '127.0.0.1',
      port: Number(port),
      path: '/upload',
      method: 'POST',
      headers: { 'content-type': 'application/octet-stream', 'content-length': SIZE },
    });
    const answered = once(upload, 'response') as Promise<[Readable]>;
    await pipeline(Readable.from(zeros()), upload);
    const [answer] = await answered;
    const { bytes, warmRss, peakRss } = JSON.parse(await text(answer)) as Record<string, number>;
    expect(bytes).toBe(SIZE);
    expect((await stat(join(folder, 'upload'))).size).toBe(SIZE);
    expect(peakRss! - warmRss!).toBeLessThan(ROOM);
  });
});
