import { describe, expect, it } from '@jest/globals';
import { readSlowly } from 'nestjs-timeouts/testing';
import { serve } from './fixtures/server.js';

const LARGE = Buffer.alloc(32 * 2 ** 20, '.');

describe('readSlowly', () => {
  it('takes so many bytes at a time', async () => {
    const url = await serve((_req, res) => res.end('x'.repeat(100)));

    const view = await readSlowly(url, { bytes: 60, every: '100ms' });

    expect(view).toMatchObject({ status: 200, whole: true, body: 'x'.repeat(100), ended: 'open' });
    const reads = Math.ceil(view.bytesReceived / 60);
    expect(view.elapsedMs).toBeGreaterThanOrEqual(reads * 100 - 1);
  });

  it('asks with a body', async () => {
    const url = await serve((req, res) => req.pipe(res.writeHead(200, { 'content-length': 4 })));

    expect(await readSlowly(url, { body: 'echo', bytes: 1_000, every: '10ms' })).toMatchObject({
      body: 'echo',
      whole: true,
    });
  });

  it('makes the server wait, and soon sees that it is cut off', async () => {
    let backlog = 0;
    let waitedMs = 0;
    const url = await serve((req, res) => {
      const startedAt = performance.now();
      res.write(LARGE);
      setTimeout(() => {
        backlog = res.writableLength;
        waitedMs = performance.now() - startedAt;
        req.socket.resetAndDestroy();
      }, 300);
    });

    const view = await readSlowly(url, { bytes: 10, every: '50ms', giveUpAfter: '10s' });

    expect(backlog).toBeGreaterThan(LARGE.length / 4);
    expect(view).toMatchObject({ whole: false, ended: 'reset' });
    expect(view.bytesReceived).toBeLessThan(LARGE.length / 4);
    expect(view.elapsedMs).toBeGreaterThanOrEqual(waitedMs - 1);
    expect(view.elapsedMs).toBeLessThan(5_000);
  });

  it('reads nothing', async () => {
    const url = await serve((_req, res) => res.end(LARGE));

    expect(await readSlowly(url, { giveUpAfter: '200ms' })).toMatchObject({
      bytesReceived: 0,
      whole: false,
      ended: 'open',
    });
  });

  it('refuses a negative number of bytes', async () => {
    await expect(readSlowly('http://127.0.0.1:1', { bytes: -1 })).rejects.toThrow('0 or more');
  });
});
