import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Res, Sse, StreamableFile } from '@nestjs/common';
import { Agent } from 'node:http';
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import type { TimeoutsModuleOptions } from 'nestjs-timeouts';
import { Deadline } from 'nestjs-timeouts';
import { NEVER, of, concat } from 'rxjs';
import { closeApps, startApp, ADAPTER_STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { call } from '../support/http-client.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { SlowReader } from '../support/slow-reader.js';
import { watchProcess } from '../support/watch-process.js';
import { block, untilCancelled } from '../support/work.js';

const GRACE = 400;
/** The system hands over in lumps of more than a megabyte, so the rates are as large. */
const RATE = 1_500_000;
const LARGE = Buffer.alloc(16_000_000, 'x');
const LIMITS = { response: { minRate: RATE, grace: GRACE } } as const;

type Reply = ServerResponse & { raw?: ServerResponse; hijack?: () => void };

@Controller()
class ReadController {
  @Get('large')
  large(@Res() reply: Reply) {
    reply.hijack?.();
    (reply.raw ?? reply).end(LARGE);
  }

  @Get('streamed')
  async *streamed() {
    for (let at = 0; at < LARGE.length; at += 50_000) {
      await delay(0);
      yield LARGE.subarray(at, at + 50_000);
    }
  }

  @Get('file')
  file() {
    return new StreamableFile(LARGE);
  }

  @Sse('events')
  events() {
    return concat(of({ data: 'first' }), NEVER);
  }

  @Get('poll')
  async poll() {
    await delay(4 * GRACE);
    return 'news';
  }

  /** Sends the first bytes, and then thinks. */
  @Get('thinking')
  async *thinking() {
    yield 'first ';
    await delay(4 * GRACE);
    yield 'last';
  }

  /** The answer to its deadline is larger than what the system buffers. */
  @Deadline({ handler: '200ms', detail: LARGE.toString() })
  @Get('late')
  late() {
    return untilCancelled();
  }

  @Get('quick')
  quick() {
    return 'quick';
  }
}

describe.each(ADAPTER_STACKS)(
  'the rate of a client that reads, on $adapter with $enforcement',
  (stack) => {
    let logger = new RecordingLogger();
    let readers: SlowReader[] = [];
    const incidents = watchProcess();
    const expectQuiet = () => {
      expect(logger.at('error', 'fatal')).toEqual([]);
      expect(incidents).toEqual([]);
    };

    const start = (options: TimeoutsModuleOptions = LIMITS) =>
      startApp(stack, { controllers: [ReadController], nest: { logger }, options });
    const open = async (port: number, path: string) => {
      const reader = await SlowReader.open(port, path);
      readers.push(reader);
      return reader;
    };

    beforeEach(() => {
      logger = new RecordingLogger();
      readers = [];
      incidents.length = 0;
    });
    afterEach(async () => {
      for (const reader of readers) reader.leave();
      await closeApps();
      expectQuiet();
    });

    it.each(['large', 'streamed', 'file'])(
      'B11 gives a steady reader well above it every byte: %s',
      async (path) => {
        const { port, outcomes } = await start();
        const reader = (await open(port, `/${path}`)).sip(5 * RATE);
        await eventually(() => reader.bytes > LARGE.length);
        expect(outcomes).toMatchObject([{ result: 'completed', layer: 'handler', status: 200 }]);
        expect(reader.error).toBeUndefined();
      },
    );

    it('B11 cuts a reader at a tenth of it, although there is always progress', async () => {
      const { port, outcomes } = await start();
      (await open(port, '/large')).sip(RATE / 10);
      const outcome = await eventually(() => outcomes[0]);
      expect(outcome).toMatchObject({ result: 'deadline', layer: 'response', timeoutMs: GRACE });
      expect(outcome.durationMs).toBeGreaterThanOrEqual(GRACE);
    });

    it('B11 leaves streams alone that have nothing to send', async () => {
      const { port, url, outcomes } = await start();
      const events = await RawConnection.open(port);
      events.send(rawRequest('GET', '/events'));
      await events.receives('first');
      const poll = call(`${url}/poll`);
      const thinking = call(`${url}/thinking`);
      expect(await poll).toMatchObject({ status: 200, body: 'news' });
      expect(await thinking).toMatchObject({ status: 200, body: 'first last', whole: true });
      expect(outcomes.map(({ result }) => result)).toEqual(['completed', 'completed']);
      expect(events.socket.destroyed).toBe(false);
      events.leave();
      await eventually(() => outcomes.length === 3);
      expect(outcomes[2]).toMatchObject({ result: 'disconnect' });
    });

    it('B11 does not blame the client for a blocked event loop', async () => {
      const { port, outcomes } = await start();
      const reader = (await open(port, '/large')).sip(5 * RATE);
      await eventually(() => reader.bytes > 1_000_000);
      block(1_200);
      await eventually(() => reader.bytes > 4_000_000);
      setImmediate(block, 1_200);
      await eventually(() => reader.bytes > 8_000_000);
      await Promise.resolve().then(() => block(1_200));
      await eventually(() => reader.bytes > LARGE.length);
      expect(outcomes).toMatchObject([{ result: 'completed', status: 200 }]);
    });

    it('B11 leaves a connection as it is for the next request', async () => {
      const { port, url, outcomes } = await start();
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (const path of ['streamed', 'quick', 'large', 'quick']) {
        expect(await call(`${url}/${path}`, { agent })).toMatchObject({ status: 200, whole: true });
        await delay(GRACE);
      }
      const sockets = await new Promise((resolve) => {
        const [socket] = Object.values(agent.freeSockets).flat();
        resolve(socket?.remotePort);
      });
      expect(sockets).toBe(port);
      expect(outcomes.map(({ result }) => result)).toEqual(Array(4).fill('completed'));
      agent.destroy();
    });

    it('B11 counts a cut for the answer that is being written, and the one behind it as left', async () => {
      const { port, outcomes } = await start();
      const reader = await open(port, '/large');
      reader.source.write(rawRequest('GET', '/poll'));
      await eventually(() => outcomes.length === 2);
      const results = outcomes.map(({ name, result, layer }) => ({ name, result, layer }));
      expect(results).toContainEqual({ name: 'GET /large', result: 'deadline', layer: 'response' });
      expect(results).toContainEqual({ name: 'GET /poll', result: 'disconnect', layer: 'handler' });
    });

    it('B11 holds no connection for an answer of its own that nobody takes', async () => {
      const { port, monitor, outcomes } = await start();
      const reader = await open(port, '/late');
      const outcome = await eventually(() => outcomes[0]);
      expect(outcome).toMatchObject({ result: 'deadline', layer: 'handler', status: 504 });
      expect(outcome.durationMs).toBeGreaterThanOrEqual(200 + GRACE);
      expect(await reader.endOfConnection()).toBe('ECONNRESET');
      await eventually(() => monitor.snapshot().inFlight.length === 0);
      expect(outcomes).toHaveLength(1);
    });
  },
);
