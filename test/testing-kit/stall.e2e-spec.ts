import { describe, expect, it } from '@jest/globals';
import { stall } from 'nestjs-timeouts/testing';
import { eventually } from '../support/eventually.js';
import { serve, serveRaw } from './fixtures/server.js';

const HOST = { Host: 'x' };
const HEAD = 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\n';

/** What a stalled client had said when it was hung up on. */
async function saidBy(options: Parameters<typeof stall>[1]): Promise<string> {
  let said = '';
  const url = await serveRaw((socket) => {
    socket.setEncoding('latin1').on('data', (text) => (said += String(text)));
  });
  const view = await stall(url, { headers: HOST, giveUpAfter: '100ms', ...options });
  expect(view).toMatchObject({ ended: 'open', bytesReceived: 0 });
  await eventually(() => said.length === view.bytesSent);
  return said;
}

describe('stall', () => {
  it.each([
    ['connect', ''],
    ['mid-headers', HEAD.slice(0, -4)],
    ['before-body', HEAD],
    ['mid-body', `${HEAD}abcd`],
  ] as const)('falls silent at %s', async (at, said) => {
    expect(await saidBy({ at, body: 'abcdefgh' })).toBe(said);
  });

  it('falls silent in the middle of what there is', async () => {
    expect(await saidBy({})).toBe('GET / HTTP/1.1\r\nHost: x');
    expect(await saidBy({ body: 'abcdefgh' })).toBe(`${HEAD}abcd`);
  });

  it('falls silent after the first chunk', async () => {
    const headers = { ...HOST, 'transfer-encoding': 'chunked' };

    expect(await saidBy({ headers, body: 'abcdefgh' })).toMatch(/\r\n\r\n4\r\nabcd\r\n$/);
  });

  it('reports the answer and the end', async () => {
    const url = await serve((req, res) => {
      req.once('data', () => res.writeHead(408, { connection: 'close' }).end('stalled'));
    });

    const view = await stall(url, { body: '{"half":"of it"}' });

    expect(view).toMatchObject({ status: 408, body: 'stalled', whole: true, ended: 'closed' });
  });

  it('needs something to be in the middle of', async () => {
    const url = await serve(() => {});

    await expect(stall(url, { at: 'mid-body', body: 'x' })).rejects.toThrow('mid-body');
  });
});
