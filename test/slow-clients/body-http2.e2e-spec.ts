import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Body, Controller, Get, Post, Req } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { once } from 'node:events';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { connect, constants } from 'node:http2';
import { Writable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { TimeoutsModuleOptions } from 'nestjs-timeouts';
import { closeApps, startApp, ADAPTER_STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { Notes } from '../support/notes.js';
import type { AnyRequest } from '../support/raw-uploads.js';
import { leaveRawBodies, rawOf } from '../support/raw-uploads.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { watchProcess } from '../support/watch-process.js';

let notes = new Notes();

@Controller()
class UploadController {
  @Post('parsed')
  parsed(@Body() body: object) {
    notes.add('parsed ran');
    return body;
  }

  @Post('raw')
  async raw(@Req() request: AnyRequest) {
    let bytes = 0;
    const disk = new Writable({
      write(chunk: Buffer, _encoding, done) {
        bytes += chunk.length;
        notes.add('arrived');
        done();
      },
    });
    await pipeline(rawOf(request), disk).then(
      () => notes.add('whole'),
      (error: { code: string }) => {
        notes.add(`cut: ${error.code}`);
        throw error;
      },
    );
    return { bytes };
  }

  @Post('later')
  async later(@Req() request: AnyRequest) {
    notes.add('later started');
    await delay(800);
    let bytes = 0;
    for await (const chunk of rawOf(request)) bytes += (chunk as Buffer).length;
    return { bytes };
  }

  @Get('quick')
  quick() {
    return 'quick';
  }
}

const JSON_TYPE = { 'content-type': 'application/json' };
const RAW_TYPE = { 'content-type': 'application/octet-stream' };
const stacks = ADAPTER_STACKS.filter(({ adapter }) => adapter === 'fastify');

describe.each(stacks)('a slow upload over HTTP/2 on $adapter with $enforcement', (stack) => {
  let logger = new RecordingLogger();
  let session: ClientHttp2Session;
  const incidents = watchProcess();
  const expectQuiet = () => {
    expect(logger.at('error', 'fatal')).toEqual([]);
    expect(incidents).toEqual([]);
  };

  const start = async (body: TimeoutsModuleOptions['body']) => {
    const started = await startApp(stack, {
      controllers: [UploadController],
      adapter: new FastifyAdapter({ http2: true } as never),
      prepare: leaveRawBodies,
      nest: { logger },
      options: { handler: '20s', body },
    });
    session = connect(started.url);
    session.on('error', () => {});
    return started;
  };
  const post = (path: string, headers: object): ClientHttp2Stream => {
    const stream = session.request({ ':path': path, ':method': 'POST', ...headers });
    stream.on('error', () => {});
    return stream;
  };
  const answerOf = async (stream: ClientHttp2Stream) => {
    const startedAt = performance.now();
    const [[headers], body] = await Promise.all([once(stream, 'response'), text(stream)]);
    return { headers, body, elapsedMs: performance.now() - startedAt };
  };
  const expectCut = async (stream: ClientHttp2Stream, detail: string, limitMs: number) => {
    const answer = await answerOf(stream);
    expect(answer.headers).toMatchObject({ ':status': 408 });
    const problem = JSON.parse(answer.body) as { elapsedMs: number };
    expect(problem).toMatchObject({ code: 'body_timeout', layer: 'body', detail });
    // The client may have begun to look at its clock when the server did not any more.
    expect(problem.elapsedMs).toBeGreaterThanOrEqual(limitMs);
    const quick = await answerOf(session.request({ ':path': '/quick' }));
    expect(quick.body).toBe('quick');
  };

  beforeEach(() => {
    notes = new Notes();
    logger = new RecordingLogger();
    incidents.length = 0;
  });
  afterEach(async () => {
    session.destroy();
    await closeApps();
    expectQuiet();
  });

  it.each([{}, { 'content-length': 100 }])(
    'B02 answers 408 to a stream that stalls, and leaves the session to the others: %j',
    async (length) => {
      const { outcomes } = await start({ idle: '300ms' });
      const stream = post('/parsed', { ...JSON_TYPE, ...length });
      stream.write('{"half":');
      await expectCut(
        stream,
        'Timed out while reading request body: nothing arrived for 300ms',
        300,
      );
      await eventually(() => outcomes.length === 2);
      const outcome = outcomes.find(({ name }) => name === 'POST /parsed');
      expect(outcome).toMatchObject({ result: 'deadline', layer: 'body', status: 408 });
      expect(notes.all).toEqual([]);
    },
  );

  it('B03 cuts a stream that drips', async () => {
    await start({ minRate: 5_000, grace: '300ms' });
    const stream = post('/parsed', JSON_TYPE);
    const drip = setInterval(() => stream.writable && stream.write('x'), 1);
    stream.once('close', () => clearInterval(drip));
    await expectCut(stream, 'Timed out while reading request body: slower than 5000 B/s', 300);
    expect(notes.all).toEqual([]);
  });

  it('B06 fails the handler that reads a stream which is cut: it never seems complete', async () => {
    await start({ idle: '300ms' });
    const stream = post('/raw', RAW_TYPE);
    stream.write('part');
    await notes.seen('arrived');
    await expectCut(stream, 'Timed out while reading request body: nothing arrived for 300ms', 300);
    await notes.seen('cut: body_timeout');
    expect(notes.all).toEqual(['arrived', 'cut: body_timeout']);
  });

  it.each([
    ['a reset', (stream: ClientHttp2Stream) => stream.close(constants.NGHTTP2_CANCEL)],
    ['the end of the session', () => session.destroy()],
  ] as const)(
    'B06 fails the handler whose client leaves in mid-stream: %s',
    async (_way, leave) => {
      const { outcomes } = await start({ idle: '10s' });
      // Node's client ends the body before it resets the stream; by its length, it is too short.
      const stream = post('/raw', { ...RAW_TYPE, 'content-length': 100 });
      stream.write('part');
      await notes.seen('arrived');
      leave(stream);
      await eventually(() => notes.all.some((note) => note.startsWith('cut')), notes.all.join());
      await eventually(() => outcomes.length === 1);
      expect(notes.all).toHaveLength(2);
      expect(outcomes).toMatchObject([{ result: 'disconnect', status: 499 }]);
    },
  );

  it('B07 does not blame the client while the application does not read', async () => {
    const { outcomes } = await start({ idle: '300ms', minRate: 100_000, grace: '100ms' });
    const stream = post('/later', RAW_TYPE);
    stream.end(Buffer.alloc(1_000_000));
    await notes.seen('later started');
    expect((await answerOf(stream)).body).toBe('{"bytes":1000000}');
    await eventually(() => outcomes.length === 1);
    expect(outcomes).toMatchObject([{ result: 'completed' }]);
  });
});
