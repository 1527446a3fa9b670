import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { once } from 'node:events';
import { connect } from 'node:http2';
import type { ClientHttp2Session } from 'node:http2';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { closeApps, startApp, ADAPTER_STACKS } from '../support/app.js';
import { expectOnTime } from '../support/http-client.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { SELF_SIGNED } from '../support/self-signed.js';
import { SlowClient } from '../support/slow-client.js';
import { watchProcess } from '../support/watch-process.js';
import { block } from '../support/work.js';

@Controller()
class QuickController {
  @Get('quick')
  quick() {
    return 'quick';
  }
}

const LIMIT_MS = 300;
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
const SETTINGS = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]);
/** HEADERS of stream 1 that announce 200 bytes and CONTINUATION after them. */
const HEADERS = Buffer.from([0, 0, 200, 1, 1, 0, 0, 0, 1]);
/** `:method: GET`, from the static table. */
const FIELD = Buffer.from([0x82]);

const stack = ADAPTER_STACKS.find(({ adapter }) => adapter === 'fastify')!;

describe('slow headers over HTTP/2', () => {
  let logger = new RecordingLogger();
  const sessions: ClientHttp2Session[] = [];
  const incidents = watchProcess();
  const expectQuiet = () => {
    expect(logger.at('error', 'fatal')).toEqual([]);
    expect(incidents).toEqual([]);
  };

  const start = (fastify: object = {}) =>
    startApp(stack, {
      controllers: [QuickController],
      adapter: new FastifyAdapter({ http2: true, ...fastify } as never),
      nest: { logger },
      options: { handler: '20s', headers: LIMIT_MS },
    });
  const openSession = (url: string) => {
    const session = connect(url, { rejectUnauthorized: false });
    session.on('error', () => {});
    sessions.push(session);
    return session;
  };
  const ask = (session: ClientHttp2Session) => text(session.request({ ':path': '/quick' }));

  beforeEach(() => {
    logger = new RecordingLogger();
    incidents.length = 0;
  });
  afterEach(async () => {
    for (const session of sessions.splice(0)) session.destroy();
    await closeApps();
    expectQuiet();
  });

  it.each([
    ['says nothing at all', () => {}],
    ['sends its preface alone', (client: SlowClient) => client.send(PREFACE)],
    ['drips its preface', (client: SlowClient) => client.drip(PREFACE)],
    [
      'drips the headers of its first request',
      (client: SlowClient) => {
        client.send(Buffer.concat([Buffer.from(PREFACE), SETTINGS, HEADERS]));
        client.drip(FIELD);
      },
    ],
  ])('B01 closes a connection that %s, and counts nothing', async (_name, speak) => {
    const { port, outcomes } = await start();
    const client = await SlowClient.open(port);
    speak(client);
    const farewell = await client.ended;
    expectOnTime(farewell, LIMIT_MS);
    expect(farewell.received).not.toContain('408');
    expect(outcomes).toEqual([]);
  });

  it.each([
    ['in the clear', {}],
    ['over TLS', { https: SELF_SIGNED }],
  ])('B01 leaves a session with requests alone: %s', async (_name, tls) => {
    const { url, outcomes } = await start(tls);
    const session = openSession(url);
    expect(await ask(session)).toBe('quick');
    await delay(LIMIT_MS * 2);
    expect(await ask(session)).toBe('quick');
    expect(outcomes.map(({ result }) => result)).toEqual(['completed', 'completed']);
  });

  it('B01 closes a connection that drips its TLS handshake', async () => {
    const { port } = await start({ https: SELF_SIGNED });
    const client = await SlowClient.open(port);
    client.drip(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03]));
    const farewell = await client.ended;
    expectOnTime(farewell, LIMIT_MS);
    expect(farewell.received).toBe('');
  });

  it('B01 answers 408 to a client that speaks HTTP/1 to the same server', async () => {
    const { port, outcomes } = await start({ https: { ...SELF_SIGNED, allowHTTP1: true } });
    const client = await SlowClient.openSecurely(port);
    client.send('GET /quick HTTP/1.1\r\n');
    const farewell = await client.ended;
    expectOnTime(farewell, LIMIT_MS);
    expect(farewell.received).toContain('"code":"headers_timeout"');
    expect(outcomes).toEqual([expect.objectContaining({ layer: 'headers', status: 408 })]);
  });

  it('B07 does not blame a client for a stall of 1.2 s', async () => {
    const { url, outcomes } = await start();
    const session = openSession(url);
    await once(session, 'connect');
    await delay(LIMIT_MS / 2);
    const answer = ask(session);
    // Sent in the turn that it was asked for, read after the stall.
    setImmediate(() => block(1_200));
    expect(await answer).toBe('quick');
    expect(outcomes.map(({ result }) => result)).toEqual(['completed']);
  });
});
