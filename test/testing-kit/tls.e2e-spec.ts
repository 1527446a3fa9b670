import { describe, expect, it } from '@jest/globals';
import { drip, halfClose, readSlowly, stall, vanish } from 'nestjs-timeouts/testing';
import { deferred, echo, serveSecurely } from './fixtures/server.js';

const SELF_SIGNED = { rejectUnauthorized: false };

describe('over TLS', () => {
  it('drips', async () => {
    const url = await serveSecurely(echo);

    const view = await drip(url, { ...SELF_SIGNED, body: 'abc', every: '20ms' });

    expect(view).toMatchObject({ status: 200, whole: true, ended: 'open' });
    expect(JSON.parse(view.body)).toMatchObject({ chunks: ['a', 'b', 'c'] });
  });

  it('stalls until it is cut off', async () => {
    const url = await serveSecurely((req, res) => {
      req.once('data', () => res.writeHead(408, { connection: 'close' }).end());
    });

    const view = await stall(url, { ...SELF_SIGNED, body: 'abcd' });

    expect(view).toMatchObject({ status: 408, ended: 'closed' });
  });

  it('vanishes by a reset', async () => {
    const code = deferred<string | undefined>();
    const url = await serveSecurely((req) => {
      req.socket.once('error', (error: NodeJS.ErrnoException) => code.resolve(error.code));
    });

    const view = await vanish(url, { ...SELF_SIGNED, after: '50ms' });

    expect(view.ended).toBe('left');
    expect(await code.promise).toBe('ECONNRESET');
  });

  it('closes its side', async () => {
    const url = await serveSecurely(() => {});

    const view = await halfClose(url, SELF_SIGNED);

    expect(view).toMatchObject({ bytesReceived: 0, ended: 'closed' });
  });

  it('reads slowly', async () => {
    const url = await serveSecurely((_req, res) => res.end('x'.repeat(50)));

    const view = await readSlowly(url, { ...SELF_SIGNED, bytes: 100, every: '50ms' });

    expect(view).toMatchObject({ status: 200, whole: true, body: 'x'.repeat(50) });
    expect(view.elapsedMs).toBeGreaterThanOrEqual(99);
  });

  it('minds the certificate unless told otherwise', async () => {
    const url = await serveSecurely(echo);

    await expect(stall(url)).rejects.toThrow('self-signed certificate');
  });
});
