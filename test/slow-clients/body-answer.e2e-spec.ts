import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { Body, Catch, Controller, Get, Post, Req } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { once } from 'node:events';
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { promisify } from 'node:util';
import type { TimeoutsModuleOptions } from 'nestjs-timeouts';
import { CancelledError } from 'nestjs-timeouts';
import type { TestAppSettings } from '../support/app.js';
import { closeApps, startApp, ADAPTER_STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { Notes } from '../support/notes.js';
import { rawRequest } from '../support/raw-connection.js';
import type { AnyRequest } from '../support/raw-uploads.js';
import { leaveRawBodies, RAW, rawOf } from '../support/raw-uploads.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { SELF_SIGNED } from '../support/self-signed.js';
import { watchProcess } from '../support/watch-process.js';

let notes = new Notes();

@Controller()
class UploadController {
  @Post('parsed')
  parsed(@Body() _body: object) {
    notes.add('parsed ran');
  }

  @Post('raw')
  async raw(@Req() request: AnyRequest) {
    let bytes = 0;
    for await (const chunk of rawOf(request)) bytes += (chunk as Buffer).length;
    notes.add('body complete');
    return { bytes };
  }

  @Get('next')
  next() {
    notes.add('next ran');
  }
}

@Catch(CancelledError)
class OwnAnswer implements ExceptionFilter {
  catch(error: CancelledError, host: ArgumentsHost): void {
    host.switchToHttp().getResponse().status(503).send({ own: error.code });
  }
}

const OPENING = '{"half":';
const JSON_HEAD = ['Content-Type: application/json', 'Content-Length: 1000'];
const ENDLESS = [RAW, `Content-Length: ${2 ** 40}`];
const LIMITED: TimeoutsModuleOptions = { handler: '20s', body: { idle: '200ms' } };
const TOTAL: TimeoutsModuleOptions = { handler: '20s', body: { total: '200ms' } };

/** Sends as much as the connection takes, and does not look at what comes. */
function flood(socket: Socket): void {
  const chunk = Buffer.alloc(65_536);
  const more = () => {
    while (socket.writable && socket.write(chunk));
  };
  socket.on('drain', more);
  more();
}

describe.each(ADAPTER_STACKS)(
  'the answer to a slow upload, on $adapter with $enforcement',
  (stack) => {
    let logger = new RecordingLogger();
    const incidents = watchProcess();
    const expectQuiet = () => {
      expect(logger.at('error', 'fatal')).toEqual([]);
      expect(incidents).toEqual([]);
    };
    const isFastify = stack.adapter === 'fastify';

    const start = (options: TimeoutsModuleOptions, settings: TestAppSettings = {}) =>
      startApp(stack, {
        controllers: [UploadController],
        prepare: leaveRawBodies,
        ...settings,
        nest: { logger, ...settings.nest },
        options,
      });
    /** A client that goes on although the server has said goodbye. */
    const open = async (port: number, secure = false) => {
      const address = { port, host: '127.0.0.1', allowHalfOpen: true };
      const socket = secure ? connectTls({ ...address, ca: SELF_SIGNED.cert }) : connect(address);
      const seen = { text: '', closed: false };
      socket.on('data', (chunk: Buffer) => (seen.text += chunk.toString()));
      socket.on('error', () => {});
      socket.on('close', () => (seen.closed = true));
      await once(socket, secure ? 'secureConnect' : 'connect');
      return { socket, seen };
    };
    const connectionsOf = async (server: Server) =>
      promisify(server.getConnections.bind(server))() as Promise<number>;
    const expectGone = async (server: Server) => {
      const until = performance.now() + 5_000;
      while ((await connectionsOf(server)) > 0 && performance.now() < until) await delay(10);
      expect(await connectionsOf(server)).toBe(0);
    };

    beforeEach(() => {
      notes = new Notes();
      logger = new RecordingLogger();
      incidents.length = 0;
    });
    afterEach(async () => {
      await closeApps();
      expectQuiet();
    });

    it.each([['plain', false] as const, ['TLS', true] as const])(
      'B06 can be read by a client that sends as fast as it can: %s',
      async (_kind, secure) => {
        const { port, app, outcomes } = await start(TOTAL, {
          ...(secure && !isFastify && { nest: { httpsOptions: SELF_SIGNED } }),
          ...(secure && isFastify && { adapter: new FastifyAdapter({ https: SELF_SIGNED }) }),
        });
        const { socket, seen } = await open(port, secure);
        socket.write(rawRequest('POST', '/raw', ENDLESS));
        flood(socket);
        // What the client does not read in time would be lost with a reset.
        socket.pause();
        const outcome = await eventually(() => outcomes[0]);
        expect(outcome).toMatchObject({ result: 'deadline', layer: 'body', status: 408 });
        await delay(300);
        expect(seen.text).toBe('');
        socket.resume();
        await eventually(() => seen.text.includes('"requestId"'), seen.text);
        expect(seen.text).toMatch(/^HTTP\/1\.1 408 .*\r\nconnection: close\r\n/is);
        expect(seen.text).toContain('reading request body: not complete within 200ms');
        await expectGone(app.getHttpServer());
        socket.destroy();
        expect(notes.all).toEqual([]);
      },
    );

    it('B06 is the last of its connection: what is sent after it is not taken for a request', async () => {
      const { port, app, outcomes } = await start(LIMITED);
      const { socket, seen } = await open(port);
      socket.write(rawRequest('POST', '/parsed', JSON_HEAD, OPENING));
      await eventually(() => seen.text.includes('"requestId"'), seen.text);
      const rest = `"x${'x'.repeat(1_000 - OPENING.length - 4)}"}`;
      socket.write(rest + rawRequest('GET', '/next'));
      await expectGone(app.getHttpServer());
      expect(seen.text.match(/HTTP\/1\.1/g)).toHaveLength(1);
      expect(outcomes).toHaveLength(1);
      expect(notes.all).toEqual([]);
      socket.destroy();
    });

    it('B06 ends the connection although the client drips on', async () => {
      const { port, app } = await start({ ...LIMITED, body: { total: '200ms' } });
      const { socket, seen } = await open(port);
      socket.write(rawRequest('POST', '/parsed', JSON_HEAD, OPENING));
      const drip = setInterval(() => socket.write('x'), 20);
      await eventually(() => seen.text.includes('"requestId"'), seen.text);
      const answeredAt = performance.now();
      await expectGone(app.getHttpServer());
      expect(performance.now() - answeredAt).toBeLessThan(2_500);
      clearInterval(drip);
      socket.destroy();
      expect(notes.all).toEqual([]);
    });

    it('B06 waits for its turn behind an answer that is still to come', async () => {
      const { port, app, outcomes } = await start(LIMITED);
      const { socket, seen } = await open(port);
      socket.write(rawRequest('GET', '/next') + rawRequest('POST', '/parsed', JSON_HEAD, OPENING));
      await eventually(() => seen.text.includes('"requestId"'), seen.text);
      expect(seen.text).toMatch(/^HTTP\/1\.1 200 .*HTTP\/1\.1 408 /s);
      await expectGone(app.getHttpServer());
      expect(outcomes.map(({ status }) => status)).toEqual([200, 408]);
      socket.destroy();
    });

    it('B06 ends the connection also where a filter of the application answers', async () => {
      const providers = [{ provide: APP_FILTER, useClass: OwnAnswer }];
      const { port, app, outcomes } = await start(LIMITED, { providers });
      const { socket, seen } = await open(port);
      socket.write(rawRequest('POST', '/raw', [RAW, 'Content-Length: 1000'], 'part'));
      await eventually(() => seen.text.includes('"own":"body_timeout"'), seen.text);
      expect(seen.text).toMatch(/^HTTP\/1\.1 503 .*\r\nconnection: close\r\n/is);
      socket.write(`${'x'.repeat(996)}${rawRequest('GET', '/next')}`);
      await expectGone(app.getHttpServer());
      expect(outcomes).toMatchObject([{ result: 'deadline', layer: 'body', status: 503 }]);
      expect(notes.all).toEqual([]);
      socket.destroy();
    });
  },
);
