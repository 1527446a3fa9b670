import { describe, expect, it } from '@jest/globals';
import { halfClose } from 'nestjs-timeouts/testing';
import { serve, serveRaw } from './fixtures/server.js';

describe('halfClose', () => {
  it('still reads the answer', async () => {
    const url = await serveRaw((socket) => {
      socket.resume().on('end', () => socket.end('HTTP/1.1 200 OK\r\n\r\nto the end'));
    });

    expect(await halfClose(url)).toMatchObject({
      status: 200,
      body: 'to the end',
      whole: true,
      ended: 'closed',
    });
  });

  it('ends its side in the middle of the body', async () => {
    let said = '';
    const url = await serveRaw((socket) => {
      socket.on('data', (chunk) => (said += chunk.toString()));
      socket.on('end', () => socket.end());
    });

    const view = await halfClose(url, { body: 'abcd', at: 'mid-body' });

    expect(view).toMatchObject({ whole: false, ended: 'closed' });
    expect(said).toMatch(/Content-Length: 4\r\n\r\nab$/);
  });

  it('counts as leaving for a server of Node', async () => {
    const url = await serve(() => {});

    expect(await halfClose(url)).toMatchObject({ bytesReceived: 0, ended: 'closed' });
  });
});
