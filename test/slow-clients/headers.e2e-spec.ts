import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Body, Controller, Get, Param, Post, Res } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { stat } from 'node:fs';
import type { Server, ServerResponse } from 'node:http';
import * as inspector from 'node:inspector';
import { setTimeout as delay } from 'node:timers/promises';
import type { TimeoutsModuleOptions } from 'nestjs-timeouts';
import type { TestApp, TestAppSettings } from '../support/app.js';
import { closeApps, startApp, ADAPTER_STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { call, expectOnTime } from '../support/http-client.js';
import { Notes } from '../support/notes.js';
import { rawRequest } from '../support/raw-connection.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { SELF_SIGNED } from '../support/self-signed.js';
import type { Farewell } from '../support/slow-client.js';
import { SlowClient } from '../support/slow-client.js';
import { watchProcess } from '../support/watch-process.js';
import { block } from '../support/work.js';

let notes = new Notes();
let logger = new RecordingLogger();

@Controller()
class QuickController {
  @Get('quick/:id')
  quick(@Param('id') id: string) {
    notes.add(`${id} ran`);
    return `answer ${id}`;
  }

  @Get('big')
  big(@Res() res: { raw?: ServerResponse } & ServerResponse) {
    (res.raw ?? res).end('x'.repeat(1 << 20));
    notes.add('big sent');
  }

  @Get('told/:id')
  async told(@Param('id') id: string) {
    notes.add(`${id} started`);
    await notes.seen(`${id} may answer`);
    return `answer ${id}`;
  }

  @Post('upload')
  upload(@Body() body: object) {
    return body;
  }
}

const LIMIT_MS = 300;
const REQUEST = rawRequest('GET', '/quick/1');
/** Headers that do not end. */
const OPENING = 'GET /quick/1 HTTP/1.1\r\nHost: localhost\r\n';
const ENDLESS = 'X-Drip: drop\r\n';

/** The handler timeout is far away. */
const LIMITS: TimeoutsModuleOptions = { handler: '20s', headers: LIMIT_MS };

const PHASES: Record<string, (act: () => void) => void> = {
  timer: (act) => void setTimeout(act, 1),
  microtask: (act) => void queueMicrotask(act),
  immediate: (act) => void setImmediate(act),
  'I/O': (act) => void stat('.', act),
};

function problemIn(received: string): Record<string, unknown> {
  const [head = '', body = ''] = received.slice(received.lastIndexOf('HTTP/1.1')).split('\r\n\r\n');
  expect(head).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/);
  expect(head).toMatch(/\r\nConnection: close(\r\n|$)/);
  expect(head).toMatch(/\r\nCache-Control: no-store(\r\n|$)/);
  expect(head).toMatch(/\r\nContent-Type: application\/problem\+json(\r\n|$)/);
  expect(head).toContain(`\r\nContent-Length: ${body.length}\r\n`);
  return JSON.parse(body) as Record<string, unknown>;
}

function expectTimeout(farewell: Farewell, limitMs = LIMIT_MS): void {
  expectOnTime(farewell, limitMs);
  const problem = problemIn(farewell.received);
  expect(problem).toEqual({
    type: 'about:blank',
    title: 'Request Timeout',
    status: 408,
    detail: 'Timed out while reading request headers',
    code: 'headers_timeout',
    layer: 'headers',
    timeoutMs: limitMs,
    elapsedMs: expect.any(Number),
    requestId: expect.stringMatching(/^[\da-f-]{36}$/),
  });
  expect(problem.elapsedMs).toBeGreaterThanOrEqual(limitMs);
}

function expectSilence(farewell: Farewell): void {
  expectOnTime(farewell, LIMIT_MS);
  expect(farewell.received).toBe('');
}

function connectionsOf({ app }: TestApp): Promise<number> {
  const server = app.getHttpServer() as Server;
  return new Promise((resolve) => server.getConnections((_error, count) => resolve(count)));
}

async function expectGone(started: TestApp): Promise<void> {
  let count = -1;
  await eventually(() => {
    void connectionsOf(started).then((now) => (count = now));
    return count === 0;
  }, 'the end of all connections');
}

const CUT = {
  kind: 'request',
  name: '(no route)',
  result: 'deadline',
  layer: 'headers',
  status: 408,
  timeoutMs: LIMIT_MS,
};

// Long before anything that the kind of enforcement has a part in.
const stacks = ADAPTER_STACKS.filter(({ enforcement }) => enforcement === 'auto');

describe.each(stacks)('slow headers, on $adapter', (stack) => {
  const incidents = watchProcess();
  let expected: string[] = [];

  const start = (settings: Partial<TestAppSettings> = {}) =>
    startApp(stack, {
      controllers: [QuickController],
      nest: { logger },
      options: LIMITS,
      ...settings,
    });
  const startSecurely = () => {
    const adapter = new FastifyAdapter({ https: SELF_SIGNED } as never);
    return stack.adapter === 'fastify'
      ? start({ adapter })
      : start({ nest: { logger, httpsOptions: SELF_SIGNED } });
  };

  beforeEach(() => {
    notes = new Notes();
    logger = new RecordingLogger();
    expected = [];
    incidents.length = 0;
  });
  const expectQuiet = () => {
    const aboutServers = logger.at('warn').filter((text) => /server\.|headers \(/.test(text));
    expect(aboutServers.filter((text) => !expected.some((part) => text.includes(part)))).toEqual(
      [],
    );
    expect(logger.at('error', 'fatal')).toEqual([]);
    expect(incidents).toEqual([]);
  };
  afterEach(async () => {
    inspector.close();
    await closeApps();
    expectQuiet();
  });

  it('B01 answers 408 to headers dripped byte by byte, and records one outcome', async () => {
    const started = await start();
    const client = await SlowClient.open(started.port);
    client.restart();
    client.send(OPENING);
    client.drip(ENDLESS);
    expectTimeout(await client.ended);
    await expectGone(started);
    expect(started.outcomes).toEqual([expect.objectContaining(CUT)]);
    expect(started.outcomes[0]!.durationMs).toBeGreaterThanOrEqual(LIMIT_MS);
    expect(started.monitor.snapshot()).toMatchObject({
      inFlight: [],
      counters: [{ layer: 'headers', reason: 'deadline', route: '(no route)', count: 1 }],
    });
  });

  it('B01 answers 408 to a dripped request line', async () => {
    const { port, outcomes } = await start();
    const client = await SlowClient.open(port);
    client.restart();
    client.drip(`GET /${'x'.repeat(1_000)}`);
    expectTimeout(await client.ended);
    expect(outcomes).toEqual([expect.objectContaining(CUT)]);
  });

  it.each(['G', '\r\n', OPENING, REQUEST.slice(0, -1)])(
    'B01 answers 408 to a client that falls silent after %j',
    async (part) => {
      const { port, outcomes } = await start();
      const client = await SlowClient.open(port);
      client.send(part);
      expectTimeout(await client.ended);
      expect(outcomes).toEqual([expect.objectContaining(CUT)]);
    },
  );

  it('B01 counts from the first byte', async () => {
    const { port } = await start();
    const client = await SlowClient.open(port);
    await delay(LIMIT_MS / 2);
    client.restart();
    client.send('G');
    expectTimeout(await client.ended);
  });

  it('B01 closes silently, and counts nothing, when no byte ever came', async () => {
    const started = await start();
    const client = await SlowClient.open(started.port);
    expectSilence(await client.ended);
    await expectGone(started);
    expect(started.outcomes).toEqual([]);
    expect(started.monitor.snapshot().counters).toEqual([]);
  });

  it('B01 is rid of a client that goes on sending and never closes', async () => {
    const started = await start();
    const client = await SlowClient.open(started.port, { staysOpen: true });
    client.restart();
    client.send(OPENING);
    client.drip(ENDLESS);
    expectTimeout(await client.ended);
    await expectGone(started);
    client.leave();
    expect(started.outcomes).toHaveLength(1);
  });

  it('B01 ignores the rest of a request that comes after its 408', async () => {
    const started = await start();
    const server = started.app.getHttpServer() as Server;
    server.on('clientError', ({ message }) => notes.add(message));
    const client = await SlowClient.open(started.port, { staysOpen: true });
    client.send(OPENING);
    const farewell = await client.ended;
    client.send('\r\n' + REQUEST + 'no HTTP at all\r\n\r\n');
    await expectGone(started);
    client.leave();
    expectTimeout({ ...farewell, received: client.received });
    expect(notes.all).toEqual([]);
    expect(started.outcomes).toHaveLength(1);
  });

  it('B01 holds for the second request of a connection, from its own first byte', async () => {
    const { port, outcomes } = await start();
    const client = await SlowClient.open(port);
    client.send(REQUEST);
    await client.receives('answer 1');
    await delay(LIMIT_MS);
    client.received = '';
    client.restart();
    client.drip('GET /quick/2 HTTP/1.1\r\nHost: localhost\r\n');
    expectTimeout(await client.ended);
    expect(outcomes.map(({ result }) => result)).toEqual(['completed', 'deadline']);
  });

  it('B01 leaves an idle connection alone, and serves its next request', async () => {
    const { port, outcomes } = await start();
    const client = await SlowClient.open(port);
    client.send(REQUEST);
    await client.receives('answer 1');
    await delay(LIMIT_MS * 2.5);
    client.send(rawRequest('GET', '/quick/2'));
    await client.receives('answer 2');
    client.leave();
    expect(outcomes.map(({ result }) => result)).toEqual(['completed', 'completed']);
  });

  it('B01 serves headers that are slow and inside the limit', async () => {
    const { port, outcomes } = await start();
    const client = await SlowClient.open(port);
    for (const part of [REQUEST.slice(0, 5), REQUEST.slice(5, 30), REQUEST.slice(30)]) {
      client.send(part);
      await delay(LIMIT_MS / 5);
    }
    await client.receives('answer 1');
    await delay(LIMIT_MS);
    expect(client.socket.destroyed).toBe(false);
    client.leave();
    expect(outcomes.map(({ result }) => result)).toEqual(['completed']);
  });

  it('B01 never cuts an earlier answer: that one is finished first, then comes the 408', async () => {
    const started = await start();
    const client = await SlowClient.open(started.port);
    client.send(rawRequest('GET', '/told/1') + rawRequest('GET', '/told/2') + OPENING);
    await notes.seen('2 started');
    await eventually(() => started.outcomes[0]);
    await delay(50);
    // Too late: the connection is closed to it.
    client.send(`\r\n${rawRequest('GET', '/quick/4')}`);
    await delay(50);
    expect(client.received).toBe('');
    notes.add('1 may answer');
    await client.receives('answer 1');
    await delay(50);
    expect(client.received).not.toContain('408');
    notes.add('2 may answer');
    const { received } = await client.ended;
    expect(received.match(/HTTP\/1\.1 \d+/g)).toEqual([
      'HTTP/1.1 200',
      'HTTP/1.1 200',
      'HTTP/1.1 408',
    ]);
    problemIn(received);
    await expectGone(started);
    expect(started.outcomes.map(({ name, result }) => `${name}: ${result}`)).toEqual([
      '(no route): deadline',
      'GET /told/:id: completed',
      'GET /told/:id: completed',
    ]);
    expect(notes.all).not.toContain('4 ran');
  });

  it.each(Object.keys(PHASES))(
    'B07 does not blame a client for a stall of 1.2 s in the %s phase: its headers lay unread',
    async (phase) => {
      const { port, outcomes } = await start();
      const client = await SlowClient.open(port);
      client.send(OPENING);
      await delay(LIMIT_MS / 2);
      PHASES[phase]!(() => {
        client.send('\r\n');
        block(1_200);
      });
      await client.receives('answer 1');
      // The limit holds on: for the next request, too.
      client.received = '';
      client.restart();
      client.send('G');
      expectTimeout(await client.ended);
      expect(outcomes.map(({ result }) => result)).toEqual(['completed', 'deadline']);
    },
  );

  it('B07 does not blame a client whose headers Node leaves unread for the answers that wait', async () => {
    const { port, outcomes } = await start();
    const client = await SlowClient.open(port);
    client.send(rawRequest('GET', '/told/0') + rawRequest('GET', '/big'));
    await notes.seen('big sent');
    client.send(REQUEST + OPENING);
    await notes.seen('1 ran');
    client.send('\r\n');
    await delay(LIMIT_MS * 2);
    expect(notes.count('1 ran')).toBe(1);
    notes.add('0 may answer');
    await notes.seen('1 ran', 2);
    await eventually(() => outcomes.length === 4);
    client.leave();
    expect(outcomes.every(({ result }) => result === 'completed')).toBe(true);
  });

  it('B07 still cuts those that were slow when the event loop stalled', async () => {
    const { port } = await start();
    const client = await SlowClient.open(port);
    client.send(OPENING);
    await delay(LIMIT_MS / 2);
    block(1_200);
    const { received, elapsedMs } = await client.ended;
    expect(elapsedMs).toBeLessThan(LIMIT_MS / 2 + 1_200 + LIMIT_MS);
    problemIn(received);
  });

  it('B01 passes other errors of clients on to the application', async () => {
    const seen: string[] = [];
    const { port, outcomes, app } = await start();
    const server = app.getHttpServer() as Server;
    server.on('clientError', ({ code }: NodeJS.ErrnoException, socket) => {
      seen.push(String(code));
      socket.destroy();
    });
    const client = await SlowClient.open(port);
    client.send('no HTTP at all\r\n\r\n');
    await client.ended;
    expect(seen).toEqual([expect.stringMatching(/^HPE_/)]);
    const slow = await SlowClient.open(port);
    slow.send('G');
    expectTimeout(await slow.ended);
    expect(seen).toHaveLength(1);
    expect(outcomes).toHaveLength(1);
  });

  it.each(['none', '100d'] as const)('P07 headers: %s never cuts', async (headers) => {
    const { port, outcomes, app } = await start({ options: { ...LIMITS, headers } });
    expect((app.getHttpServer() as Server).headersTimeout).toBe(0);
    const silent = await SlowClient.open(port);
    const client = await SlowClient.open(port);
    client.send(OPENING);
    await delay(LIMIT_MS * 2.5);
    expect(silent.socket.destroyed).toBe(false);
    client.send('\r\n');
    await client.receives('answer 1');
    for (const each of [silent, client]) each.leave();
    expect(outcomes.map(({ result }) => result)).toEqual(['completed']);
  });

  it('B01 holds again after the server has stopped and listened a second time', async () => {
    const { app } = await start();
    const server = app.getHttpServer() as Server;
    await new Promise((resolve) => server.close(resolve));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const client = await SlowClient.open((server.address() as { port: number }).port);
    client.send(OPENING);
    expectTimeout(await client.ended);
  });

  it('B01 replaces the limit that Node has for whole requests', async () => {
    const { app } = await start();
    expect((app.getHttpServer() as Server).requestTimeout).toBe(0);
  });

  it('B01 leaves a limit for whole requests that the application has set, and warns of it', async () => {
    expected = ['server.requestTimeout (900ms) cuts uploads that the options allow'];
    const { port, outcomes } = await start({
      prepare: (app) => void (app.getHttpServer().requestTimeout = 900),
    });
    expect(logger.at('warn').join('\n')).toContain(expected[0]);
    const slow = await SlowClient.open(port);
    slow.send(OPENING);
    expectTimeout(await slow.ended);
    const upload = await SlowClient.open(port);
    upload.restart();
    upload.send(
      rawRequest(
        'POST',
        '/upload',
        ['Content-Type: application/json', 'Content-Length: 1000'],
        '{',
      ),
    );
    const farewell = await upload.ended;
    expectOnTime(farewell, 900);
    expect(farewell.received).not.toContain('headers_timeout');
    await eventually(() => outcomes.length === 2);
    expect(outcomes.map(({ layer, result }) => [layer, result])).toEqual([
      ['headers', 'deadline'],
      ['handler', 'disconnect'],
    ]);
  });

  it('B01 holds headers to a limit for whole requests that is the shorter one', async () => {
    expected = ['server.requestTimeout (350ms) cuts'];
    const { port } = await start({
      options: { ...LIMITS, headers: '1s' },
      prepare: (app) => void (app.getHttpServer().requestTimeout = 350),
    });
    const client = await SlowClient.open(port);
    client.send(OPENING);
    expectTimeout(await client.ended, 350);
  });

  it('B01 is not undone by a headersTimeout set on the server, and says so', async () => {
    expected = ['server.headersTimeout = 66000 changes nothing: the option headers (300ms)'];
    const { app, port } = await start();
    (app.getHttpServer() as Server).headersTimeout = 66_000;
    expect(logger.at('warn').join('\n')).toContain(expected[0]);
    const client = await SlowClient.open(port);
    client.send(OPENING);
    expectTimeout(await client.ended);
  });

  it('P16 rests while a debugger is attached, and holds again once it is gone', async () => {
    const { port } = await start({ options: { ...LIMITS, suspendWhileDebugging: true } });
    inspector.open(0, '127.0.0.1');
    const [cut, served] = [await SlowClient.open(port), await SlowClient.open(port)];
    for (const client of [cut, served]) client.send(OPENING);
    await delay(LIMIT_MS * 2);
    expect(cut.received).toBe('');
    served.send('\r\n');
    await served.receives('answer 1');
    served.leave();
    inspector.close();
    problemIn((await cut.ended).received);
  });

  describe('over TLS', () => {
    it('B01 answers 408 to dripped headers', async () => {
      const started = await startSecurely();
      const client = await SlowClient.openSecurely(started.port);
      client.send(OPENING);
      client.drip(ENDLESS);
      expectTimeout(await client.ended);
      await expectGone(started);
      expect(started.outcomes).toEqual([expect.objectContaining(CUT)]);
    });

    it('B01 closes silently when no byte came after the handshake', async () => {
      const started = await startSecurely();
      expectSilence(await (await SlowClient.openSecurely(started.port)).ended);
      await expectGone(started);
      expect(started.outcomes).toEqual([]);
    });

    it('B01 closes a connection that never begins its handshake, and counts nothing', async () => {
      const started = await startSecurely();
      expectSilence(await (await SlowClient.open(started.port)).ended);
      await expectGone(started);
      expect(started.outcomes).toEqual([]);
    });

    it('B01 closes a connection whose handshake is dripped', async () => {
      const started = await startSecurely();
      const client = await SlowClient.open(started.port);
      client.drip(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03]));
      expectSilence(await client.ended);
      await expectGone(started);
      const { status: _, ...cut } = CUT;
      expect(started.outcomes).toEqual([expect.objectContaining(cut)]);
    });

    it('B01 counts a slow handshake and the headers together', async () => {
      const { port, outcomes } = await startSecurely();
      const client = await SlowClient.openSecurely(port, LIMIT_MS / 2);
      client.send(OPENING);
      client.drip(ENDLESS);
      expectTimeout(await client.ended);
      expect(outcomes).toEqual([expect.objectContaining(CUT)]);
    });

    it('B01 closes silently when no byte came after a slow handshake', async () => {
      const { port, outcomes } = await startSecurely();
      expectSilence(await (await SlowClient.openSecurely(port, LIMIT_MS / 2)).ended);
      expect(outcomes).toEqual([]);
    });

    it('B01 counts nothing but the first request to a slow handshake', async () => {
      const { port, outcomes } = await startSecurely();
      const client = await SlowClient.openSecurely(port, LIMIT_MS / 2);
      client.send(REQUEST);
      await client.receives('answer 1');
      await delay(LIMIT_MS / 3);
      client.send(OPENING);
      await delay(LIMIT_MS / 2);
      client.received = '';
      client.send('\r\n');
      await client.receives('answer 1');
      client.leave();
      expect(outcomes.map(({ result }) => result)).toEqual(['completed', 'completed']);
    });

    it('B07 does not blame a client for a stall of 1.2 s in its handshake', async () => {
      const { port, outcomes } = await startSecurely();
      const opening = SlowClient.openSecurely(port, LIMIT_MS / 2);
      setTimeout(() => block(1_200), LIMIT_MS / 2);
      const client = await opening;
      client.send(REQUEST);
      await client.receives('answer 1');
      client.leave();
      expect(outcomes.map(({ result }) => result)).toEqual(['completed']);
    });

    it('B01 serves quick ones, and leaves an idle connection alone', async () => {
      const { port, url, outcomes } = await startSecurely();
      const client = await SlowClient.openSecurely(port);
      client.send(REQUEST);
      await client.receives('answer 1');
      await delay(LIMIT_MS * 2.5);
      client.send(rawRequest('GET', '/quick/2'));
      await client.receives('answer 2');
      client.leave();
      expect(url).toMatch(/^https:/);
      expect(outcomes.map(({ result }) => result)).toEqual(['completed', 'completed']);
    });

    it('B07 does not blame a client for a stall of 1.2 s', async () => {
      const { port, outcomes } = await startSecurely();
      const client = await SlowClient.openSecurely(port);
      client.send(OPENING);
      await delay(LIMIT_MS / 2);
      client.send('\r\n');
      await new Promise((resolve) => client.socket.write('', resolve));
      block(1_200);
      await client.receives('answer 1');
      client.leave();
      expect(outcomes.map(({ result }) => result)).toEqual(['completed']);
    });
  });

  it('B01 is rid of hundreds of slow clients at their limit, while others are served', async () => {
    const started = await start();
    const slow = await Promise.all(
      Array.from({ length: 200 }, () => SlowClient.open(started.port)),
    );
    for (const client of slow) client.send(OPENING);
    const served = Array.from({ length: 50 }, () => call(`${started.url}/quick/1`));
    for (const { status } of await Promise.all(served)) expect(status).toBe(200);
    for (const { received } of await Promise.all(slow.map(({ ended }) => ended))) {
      problemIn(received);
    }
    await expectGone(started);
    expect(started.outcomes.filter(({ layer }) => layer === 'headers')).toHaveLength(200);
  });
});
