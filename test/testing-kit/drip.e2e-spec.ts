import { describe, expect, it } from '@jest/globals';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { drip } from 'nestjs-timeouts/testing';
import { chunksOf, deferred, echo, serve, serveRaw } from './fixtures/server.js';

describe('drip', () => {
  it('sends a body so many bytes at a time', async () => {
    const url = await serve(echo);

    const view = await drip(`${url}/a?b=c`, { body: 'abcdefg', bytes: 3, every: '20ms' });

    expect(view).toMatchObject({ status: 200, whole: true, ended: 'open' });
    expect(JSON.parse(view.body)).toEqual({
      method: 'POST',
      url: '/a?b=c',
      chunks: ['abc', 'def', 'g'],
    });
    expect(view.elapsedMs).toBeGreaterThanOrEqual(39);
    expect(view.headers['content-type']).toBe('application/json');
  });

  it('sends a chunked body chunk by chunk', async () => {
    const url = await serve(echo);
    const headers = { 'Transfer-Encoding': 'chunked' };

    const view = await drip(url, { method: 'PUT', headers, body: 'abcde', bytes: 2, every: 20 });

    expect(JSON.parse(view.body)).toMatchObject({ method: 'PUT', chunks: ['ab', 'cd', 'e'] });
  });

  it('counts bytes, not characters', async () => {
    const url = await serve(echo);

    const view = await drip(url, { body: 'é', bytes: 2, every: '10ms' });

    expect(JSON.parse(view.body)).toMatchObject({ chunks: ['é'] });
    const { host } = new URL(url);
    const head = `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 2\r\n\r\n`;
    expect(view.bytesSent).toBe(head.length + 2);
  });

  it('sends the request line and the headers byte by byte, then the body at once', async () => {
    const heard: string[] = [];
    const url = await serveRaw((socket) => {
      socket.setEncoding('latin1').on('data', (text) => {
        heard.push(String(text));
        if (heard.join('').endsWith('body')) {
          socket.end('HTTP/1.1 204 No Content\r\n\r\n');
        }
      });
    });

    const options = { part: 'headers', body: 'body', headers: { Host: 'x' }, every: 2 } as const;
    const view = await drip(url, options);

    expect(view).toMatchObject({ status: 204, body: '' });
    const head = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n';
    expect(heard.join('')).toBe(`${head}body`);
    expect(heard.length).toBeGreaterThan(head.length / 2);
  });

  it('drips the headers of a request without a body', async () => {
    const url = await serve(echo, { headersTimeout: 0, requestTimeout: 0 });

    const view = await drip(url, { bytes: 10, every: '5ms' });

    expect(JSON.parse(view.body)).toMatchObject({ method: 'GET', chunks: [] });
    expect(view.elapsedMs).toBeGreaterThanOrEqual(Math.floor(view.bytesSent / 10) * 5 - 1);
  });

  it('reports the answer of a server that cuts it off, and when', async () => {
    const url = await serve((req, res) => {
      req.once('data', () => {
        res.writeHead(408, { connection: 'close' }).end('too slow');
        res.once('finish', () => req.socket.destroySoon());
      });
    });

    const view = await drip(url, { body: 'x'.repeat(1_000), every: '10ms' });

    expect(view).toMatchObject({ status: 408, body: 'too slow', whole: true, ended: 'closed' });
    expect(view.bytesSent).toBeLessThan(1_000);
  });

  it('reports a reset', async () => {
    const url = await serve((req) => req.once('data', () => req.socket.resetAndDestroy()));

    const view = await drip(url, { body: 'x'.repeat(1_000), every: '5ms' });

    expect(view).toEqual({
      headers: {},
      body: '',
      whole: false,
      ended: 'reset',
      elapsedMs: expect.any(Number),
      bytesSent: expect.any(Number),
      bytesReceived: 0,
    });
    expect('status' in view).toBe(false);
  });

  it('goes on when the answer comes first, until the server closes', async () => {
    const received = deferred<string[]>();
    const url = await serve((req: IncomingMessage, res: ServerResponse) => {
      res.writeHead(403).end('no');
      void chunksOf(req).then(received.resolve);
    });

    const view = await drip(url, { body: 'abcd', every: '10ms' });

    expect(view).toMatchObject({ status: 403, body: 'no', whole: true, ended: 'open' });
    expect((await received.promise).join('')).toBe('abcd');
    expect(view.elapsedMs).toBeGreaterThanOrEqual(29);
  });

  it('gives up, and hangs up', async () => {
    const hungUp = deferred<void>();
    const url = await serve((req) => req.resume().socket.once('close', () => hungUp.resolve()));

    const view = await drip(url, { body: 'x'.repeat(1_000), every: '20ms', giveUpAfter: '150ms' });

    expect(view).toMatchObject({ ended: 'open', whole: false });
    expect(view.elapsedMs).toBeGreaterThanOrEqual(149);
    await hungUp.promise;
  });

  it.each([
    [{ bytes: 0 }, 'bytes is 0'],
    [{ bytes: 1.5 }, 'bytes is 1.5'],
    [{ every: 0 }, 'every is 0'],
    [{ giveUpAfter: -1 }, 'giveUpAfter is -1'],
  ])('refuses %p', async (options, message) => {
    await expect(drip('http://127.0.0.1:1', options)).rejects.toThrow(message);
  });

  it('throws when there is no server', async () => {
    await expect(drip('http://127.0.0.1:1')).rejects.toThrow('ECONNREFUSED');
    await expect(drip('ftp://127.0.0.1')).rejects.toThrow('not ftp:');
  });
});
