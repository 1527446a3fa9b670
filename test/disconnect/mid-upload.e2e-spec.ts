import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ExceptionFilter, INestApplication } from '@nestjs/common';
import { Body, Catch, Controller, Post, Req } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import type { IncomingMessage } from 'node:http';
import { setImmediate as turn } from 'node:timers/promises';
import { currentScope } from 'nestjs-timeouts';
import type { Stack } from '../support/app.js';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { Notes } from '../support/notes.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { watchProcess } from '../support/watch-process.js';

let notes = new Notes();

@Controller()
class UploadController {
  @Post('upload')
  upload(@Body() body: unknown) {
    notes.add(`handler ran with ${JSON.stringify(body)}`);
  }

  @Post('stream')
  async stream(@Req() request: IncomingMessage & { raw?: IncomingMessage }) {
    notes.add('started');
    const { signal } = currentScope();
    signal.addEventListener('abort', () => notes.add(`aborted: ${signal.reason.reason}`));
    try {
      for await (const chunk of request.raw ?? request) notes.add(`read ${String(chunk)}`);
      notes.add('end of body');
    } finally {
      notes.add('stopped');
    }
  }
}

@Catch()
class CatchAll implements ExceptionFilter {
  catch(error: unknown): void {
    notes.add(`filter: ${String(error)}`);
  }
}

const KINDS = [
  ['json', 'application/json', '{"name":"a","rest":"'],
  ['urlencoded', 'application/x-www-form-urlencoded', 'name=a&rest='],
  ['text', 'text/plain', 'half of it'],
] as const;

/** With either, the rest is never sent. */
const LENGTHS = [
  ['content-length', (part: string) => ['Content-Length: 1000', part]],
  [
    'chunked',
    (part: string) => ['Transfer-Encoding: chunked', `${part.length.toString(16)}\r\n${part}\r\n`],
  ],
] as const;

const WAYS = [
  ['closing', (client: RawConnection) => client.leave()],
  ['a reset', (client: RawConnection) => client.socket.resetAndDestroy()],
  ['half-closing', (client: RawConnection) => client.halfClose()],
] as const;

const UPLOADS = KINDS.flatMap(([kind, type, part]) =>
  LENGTHS.map(([framing, frame]) => [kind, framing, type, frame(part)] as const),
);

function readTextAndStreams(app: INestApplication, stack: Stack): void {
  if (stack.adapter === 'express') {
    (app as unknown as { useBodyParser(type: string): void }).useBodyParser('text');
    return;
  }
  const fastify = app.getHttpAdapter().getInstance() as {
    addContentTypeParser(type: string, parse: (...args: never[]) => void): void;
  };
  type Done = (error: null) => void;
  fastify.addContentTypeParser(
    'application/octet-stream',
    (_request: unknown, _payload: unknown, done: Done) => done(null),
  );
}

describe.each(STACKS)('an upload whose client leaves, on $adapter with $enforcement', (stack) => {
  let logger = new RecordingLogger();
  const incidents = watchProcess();

  const start = (withFilter = false) => {
    logger = new RecordingLogger();
    return startApp(stack, {
      controllers: [UploadController],
      providers: withFilter ? [{ provide: APP_FILTER, useClass: CatchAll }] : [],
      nest: { logger },
      prepare: (app) => readTextAndStreams(app, stack),
    });
  };

  const sendHalf = async (port: number, path: string, type: string, framed: readonly string[]) => {
    const client = await RawConnection.open(port);
    const [framing, part] = framed as [string, string];
    client.send(rawRequest('POST', path, [`Content-Type: ${type}`, framing], part));
    return client;
  };

  beforeEach(() => {
    notes = new Notes();
    incidents.length = 0;
  });
  afterEach(closeApps);

  it.each(UPLOADS)(
    'D03 never hands the handler half a body: %s, %s',
    async (_kind, _framing, type, framed) => {
      const { port, outcomes, monitor } = await start();
      for (const [index, [, leave]] of WAYS.entries()) {
        const client = await sendHalf(port, '/upload', type, framed);
        await eventually(() => monitor.snapshot().inFlight.length === 1);
        leave(client);
        const outcome = await eventually(() => outcomes[index]);
        expect(outcome).toMatchObject({ result: 'disconnect', status: 499 });
      }
      for (let turns = 0; turns < 20; turns++) await turn();
      expect(notes.all).toEqual([]);
      expect(monitor.snapshot().inFlight).toEqual([]);
      expect(outcomes).toHaveLength(WAYS.length);
      expect(logger.at('error', 'fatal', 'warn')).toEqual([]);
      expect(incidents).toEqual([]);
    },
  );

  it.each(WAYS)('D03 fails the raw stream that a handler reads, on %s', async (_way, leave) => {
    const { port, outcomes } = await start();
    const framed = ['Content-Length: 1000', 'part'];
    const client = await sendHalf(port, '/stream', 'application/octet-stream', framed);
    await notes.seen('read part');
    leave(client);
    await notes.seen('stopped');
    const outcome = await eventually(() => outcomes[0]);
    expect(notes.all).toEqual(['started', 'read part', 'aborted: disconnect', 'stopped']);
    expect(outcome).toMatchObject({ name: 'POST /stream', result: 'disconnect', status: 499 });
    expect(logger.at('error', 'fatal', 'warn')).toEqual([]);
    expect(incidents).toEqual([]);
  });

  it.each(UPLOADS)(
    'D07 calls no exception filter for half a body: %s, %s',
    async (_kind, _framing, type, framed) => {
      const { port, outcomes, monitor } = await start(true);
      const client = await sendHalf(port, '/upload', type, framed);
      await eventually(() => monitor.snapshot().inFlight.length === 1);
      client.leave();
      await eventually(() => outcomes.length === 1);
      for (let turns = 0; turns < 20; turns++) await turn();
      expect(notes.all).toEqual([]);
      expect(logger.at('error', 'fatal', 'warn')).toEqual([]);
    },
  );
});
