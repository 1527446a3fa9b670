import { describe, expect, it } from '@jest/globals';
import { vanish } from 'nestjs-timeouts/testing';
import { deferred, serve, serveRaw } from './fixtures/server.js';

/** How the server's side of a connection ended, and what it had heard. */
async function heard(options: Parameters<typeof vanish>[1]) {
  const end = deferred<{ said: string; code: string | undefined }>();
  const url = await serveRaw((socket) => {
    let said = '';
    let code: string | undefined;
    socket.setEncoding('latin1').on('data', (text) => (said += String(text)));
    socket.on('error', (error: NodeJS.ErrnoException) => (code = error.code));
    socket.on('end', () => socket.end());
    socket.on('close', () => end.resolve({ said, code }));
  });
  const view = await vanish(url, { headers: { Host: 'x' }, after: '50ms', ...options });
  return { view, ...(await end.promise) };
}

describe('vanish', () => {
  it.each([
    ['connect', /^$/],
    ['mid-headers', /Content-Length: 4$/],
    ['before-body', /\r\n\r\n$/],
    ['mid-body', /\r\n\r\nbo$/],
    ['after-body', /\r\n\r\nbody$/],
  ] as const)('leaves by a reset at %s', async (at, said) => {
    const seen = await heard({ at, body: 'body' });

    expect(seen).toMatchObject({ code: 'ECONNRESET', view: { ended: 'left', bytesReceived: 0 } });
    expect(seen.said).toMatch(said);
    expect(seen.view.elapsedMs).toBeGreaterThanOrEqual(49);
  });

  it('leaves by closing', async () => {
    const seen = await heard({ body: 'body', by: 'close' });

    expect(seen).toMatchObject({ code: undefined, view: { ended: 'left' } });
    expect(seen.said).toMatch(/body$/);
  });

  it('leaves while the answer comes', async () => {
    const closed = deferred<boolean>();
    const url = await serve((_req, res) => {
      res.once('close', () => closed.resolve(res.writableFinished));
      res.write('first words');
    });

    const view = await vanish(url, { at: 'mid-answer' });

    expect(view).toMatchObject({ status: 200, body: 'first words', whole: false, ended: 'left' });
    expect(await closed.promise).toBe(false);
  });

  it('says so when the server was faster', async () => {
    const url = await serveRaw((socket) => socket.end());

    expect(await vanish(url, { at: 'connect', after: '5s' })).toMatchObject({ ended: 'closed' });
    expect(await vanish(url, { at: 'mid-answer' })).toMatchObject({ ended: 'closed' });
  });

  it('does not wait for an answer that is cut off', async () => {
    const url = await serveRaw((socket) => socket.once('data', () => socket.resetAndDestroy()));

    expect(await vanish(url, { at: 'mid-answer' })).toMatchObject({ ended: 'reset' });
  });
});
