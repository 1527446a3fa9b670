import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Body, Controller, Post, Req, UploadedFile, UseInterceptors } from '@nestjs/common';
import { FileInterceptor } from '@nestjs/platform-express';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { currentScope } from 'nestjs-timeouts';
import type { Stack } from '../support/app.js';
import { closeApps, startApp, ADAPTER_STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { Notes } from '../support/notes.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';
import type { AnyRequest } from '../support/raw-uploads.js';
import { leaveRawBodies, rawOf } from '../support/raw-uploads.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { SlowUpload } from '../support/slow-upload.js';
import { watchProcess } from '../support/watch-process.js';

const IDLE_MS = 300;
let notes = new Notes();
let folder = '';

@Controller()
class UploadController {
  @Post('parsed')
  parsed(@Body() body: unknown) {
    notes.add(`ran with ${JSON.stringify(body)}`);
  }

  @Post('file')
  @UseInterceptors(FileInterceptor('file'))
  file(@UploadedFile() file: { size: number }) {
    notes.add(`ran with ${file.size} bytes`);
  }

  @Post('disk')
  async disk(@Req() request: AnyRequest) {
    const { signal } = currentScope();
    signal.addEventListener('abort', () => notes.add(`aborted: ${signal.reason.code}`));
    const raw = rawOf(request);
    try {
      await pipeline(raw, createWriteStream(join(folder, 'upload')));
      notes.add('whole');
    } catch (error) {
      notes.add(`failed: ${(error as { code: string }).code}, complete: ${raw.complete}`);
      throw error;
    }
  }
}

const MULTIPART = [
  '--cut',
  'Content-Disposition: form-data; name="file"; filename="a.txt"',
  'Content-Type: text/plain',
  '',
  'half of it',
].join('\r\n');

const KINDS = [
  ['JSON', '/parsed', 'application/json', '{"name":"a","rest":"'],
  ['urlencoded', '/parsed', 'application/x-www-form-urlencoded', 'name=a&rest='],
  ['text', '/parsed', 'text/plain', 'half of it'],
  ['multipart', '/file', 'multipart/form-data; boundary=cut', MULTIPART],
  ['raw', '/disk', 'application/octet-stream', 'part'],
] as const;

const FRAMINGS = [
  ['content-length', 'Content-Length: 1000', (part: string) => part],
  [
    'chunked',
    'Transfer-Encoding: chunked',
    (part: string) => `${part.length.toString(16)}\r\n${part}\r\n`,
  ],
  [
    'chunked, trailers missing',
    'Transfer-Encoding: chunked\r\nTrailer: X-Sum',
    (part: string) => `${part.length.toString(16)}\r\n${part}\r\n0\r\nX-Sum: 1`,
  ],
] as const;

const SHAPES = KINDS.flatMap(([kind, path, type, part]) =>
  FRAMINGS.map(
    ([framing, header, frame]) => [kind, framing, path, type, header, frame(part)] as const,
  ),
);

function prepare(app: INestApplication, { adapter }: Stack): void {
  leaveRawBodies(app);
  if (adapter === 'express')
    (app as never as { useBodyParser(t: string): void }).useBodyParser('text');
}

describe.each(ADAPTER_STACKS)('every kind of upload, on $adapter with $enforcement', (stack) => {
  let logger = new RecordingLogger();
  const incidents = watchProcess();
  const expectQuiet = () => {
    expect(logger.at('error', 'fatal')).toEqual([]);
    expect(incidents).toEqual([]);
  };

  const start = () =>
    startApp(stack, {
      controllers: [UploadController],
      nest: { logger },
      prepare: (app) => prepare(app, stack),
      options: { handler: '20s', body: { idle: IDLE_MS } },
    });
  // The multipart parser of the Fastify adapter is a package of its own.
  const shapes = SHAPES.filter(([kind]) => kind !== 'multipart' || stack.adapter === 'express');

  beforeEach(async () => {
    notes = new Notes();
    logger = new RecordingLogger();
    incidents.length = 0;
    folder = await mkdtemp(join(tmpdir(), 'upload-'));
  });
  afterEach(async () => {
    await closeApps();
    await rm(folder, { recursive: true });
    expectQuiet();
  });

  it.each(shapes)(
    'B10 cuts it, and nobody takes the part for the whole: %s, %s',
    async (kind, _framing, path, type, header, part) => {
      const { port, outcomes } = await start();
      const upload = await SlowUpload.open(port, path, [`Content-Type: ${type}`, header], part);
      const answer = await upload.answer();
      expect(answer.status).toBe(408);
      expect(answer.elapsedMs).toBeGreaterThanOrEqual(IDLE_MS);
      expect(JSON.parse(answer.body)).toMatchObject({ code: 'body_timeout', timeoutMs: IDLE_MS });
      // Only a handler that reads the body itself has begun.
      const expected =
        kind === 'raw' ? ['aborted: body_timeout', 'failed: body_timeout, complete: false'] : [];
      await eventually(() => notes.all.length >= expected.length);
      expect(notes.all).toEqual(expected);
      const written = await stat(join(folder, 'upload')).catch(() => undefined);
      expect(written?.size).toBe(kind === 'raw' ? 4 : undefined);
      const outcome = await eventually(() => outcomes[0]);
      expect(outcome).toMatchObject({ result: 'deadline', layer: 'body', status: 408 });
    },
  );

  it('B10 starts the clock of `Expect: 100-continue` with the answer to it', async () => {
    const { port } = await start();
    const headers = ['Content-Type: application/json', 'Expect: 100-continue'];
    const client = await RawConnection.open(port);
    client.send(rawRequest('POST', '/parsed', [...headers, 'Content-Length: 7']));
    await client.receives('100 Continue');
    client.send('{"a":1}');
    await client.receives('HTTP/1.1 201');
    client.send(rawRequest('POST', '/parsed', [...headers, 'Content-Length: 7']));
    await client.receives('HTTP/1.1 408');
    await client.closed;
    expect(notes.all).toEqual(['ran with {"a":1}']);
  });

  it('B10 does not blame a client that the application has not told to go on', async () => {
    const { port, app } = await start();
    const server = app.getHttpServer() as Server;
    server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => {
      void delay(3 * IDLE_MS).then(() => {
        res.writeContinue();
        server.emit('request', req, res);
      });
    });
    const headers = ['Content-Type: application/json', 'Expect: 100-continue'];
    const ask = async () => {
      const client = await RawConnection.open(port);
      client.send(rawRequest('POST', '/parsed', [...headers, 'Content-Length: 7']));
      await client.receives('100 Continue');
      return client;
    };
    const quick = await ask();
    quick.send('{"a":1}');
    await quick.receives('HTTP/1.1 201');
    quick.leave();
    const silent = await ask();
    await silent.receives('HTTP/1.1 408');
    await silent.closed;
    expect(notes.all).toEqual(['ran with {"a":1}']);
  });
});
