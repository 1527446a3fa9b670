import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { CanActivate } from '@nestjs/common';
import { Body, Controller, Get, Post, Sse, UseGuards } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { once } from 'node:events';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { connect, constants } from 'node:http2';
import { text } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import type { TimeoutsModuleOptions } from 'nestjs-timeouts';
import { currentScope, Deadline } from 'nestjs-timeouts';
import { Observable } from 'rxjs';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { Notes } from '../support/notes.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { watchProcess } from '../support/watch-process.js';

let notes = new Notes();

class HungGuard implements CanActivate {
  canActivate(): Promise<boolean> {
    return new Promise(() => {});
  }
}

@Controller()
class Http2Controller {
  @Get('wait')
  async wait() {
    const { signal } = currentScope();
    signal.addEventListener('abort', () => notes.add(`aborted: ${signal.reason.reason}`));
    notes.add('started');
    await once(signal, 'abort');
    throw signal.reason;
  }

  @Get('quick')
  quick() {
    currentScope().signal.addEventListener('abort', () => notes.add('quick aborted'));
    return 'quick';
  }

  @Post('upload')
  upload(@Body() body: unknown) {
    notes.add('upload ran');
    return body;
  }

  @Deadline('150ms')
  @Get('deaf')
  async deaf() {
    await notes.seen('test over');
  }

  @Deadline('150ms')
  @UseGuards(HungGuard)
  @Get('guarded')
  guarded() {}

  @Sse('events')
  events() {
    notes.add('started');
    return new Observable(() => () => notes.add('torn down'));
  }

  @Deadline({ stream: { total: '150ms' } })
  @Sse('limited-events')
  limitedEvents() {
    return new Observable((subscriber) => {
      subscriber.next({ data: 'first' });
      return () => notes.add('torn down');
    });
  }

  @Deadline({ stream: { total: '150ms' } })
  @Get('limited-stream')
  async *limitedStream() {
    yield 'first';
    await notes.seen('test over');
  }
}

const stacks = STACKS.filter(({ adapter }) => adapter === 'fastify');

describe.each(stacks)('HTTP/2 on $adapter with $enforcement', (stack) => {
  let logger = new RecordingLogger();
  let session: ClientHttp2Session;
  const incidents = watchProcess();
  const expectQuiet = () => {
    expect(logger.at('error', 'fatal')).toEqual([]);
    expect(incidents).toEqual([]);
  };

  const start = async (options: TimeoutsModuleOptions = {}) => {
    const started = await startApp(stack, {
      controllers: [Http2Controller],
      adapter: new FastifyAdapter({ http2: true } as never),
      nest: { logger },
      options,
    });
    session = connect(started.url);
    session.on('error', () => {});
    return started;
  };
  const answerOf = async (stream: ClientHttp2Stream) => {
    const startedAt = performance.now();
    const [[headers], body] = await Promise.all([once(stream, 'response'), text(stream)]);
    return { headers, body, elapsedMs: performance.now() - startedAt };
  };
  const reset = (stream: ClientHttp2Stream) => stream.close(constants.NGHTTP2_CANCEL);

  beforeEach(() => {
    notes = new Notes();
    logger = new RecordingLogger();
    incidents.length = 0;
  });
  afterEach(async () => {
    notes.add('test over');
    session.destroy();
    await closeApps();
    expectQuiet();
  });

  it('D10 takes a stream reset for a disconnect of that request alone', async () => {
    const { outcomes } = await start();
    const stream = session.request({ ':path': '/wait' });
    await notes.seen('started');
    const other = session.request({ ':path': '/wait' });
    await notes.seen('started', 2);
    reset(stream);
    await notes.seen('aborted: disconnect');
    const outcome = await eventually(() => outcomes[0]);
    expect(outcome).toMatchObject({ name: 'GET /wait', result: 'disconnect', status: 499 });
    const quick = await answerOf(session.request({ ':path': '/quick' }));
    expect(quick.body).toBe('quick');
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(notes.all).toEqual(['started', 'started', 'aborted: disconnect']);
    reset(other);
    await notes.seen('aborted: disconnect', 2);
  });

  it('D10 takes the end of the session for a disconnect of all its requests', async () => {
    const { outcomes } = await start();
    session.request({ ':path': '/wait' }).on('error', () => {});
    session.request({ ':path': '/wait' }).on('error', () => {});
    await notes.seen('started', 2);
    session.destroy();
    await notes.seen('aborted: disconnect', 2);
    await eventually(() => outcomes.length === 2);
    expect(outcomes.map(({ status }) => status)).toEqual([499, 499]);
  });

  it('D10 never hands the handler half an upload', async () => {
    const { outcomes, monitor } = await start();
    const headers = { 'content-type': 'application/json', 'content-length': 100 };
    const stream = session.request({ ':path': '/upload', ':method': 'POST', ...headers });
    stream.write('{"half":');
    await eventually(() => monitor.snapshot().inFlight.length === 1);
    reset(stream);
    const outcome = await eventually(() => outcomes[0]);
    expect(outcome).toMatchObject({ result: 'disconnect', status: 499 });
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(notes.all).toEqual([]);
  });

  it('D10 answers 408 to an upload that is not whole by the deadline, and ends its stream', async () => {
    const { outcomes } = await start({ handler: '150ms' });
    const headers = { 'content-type': 'application/json', 'content-length': 100 };
    const stream = session.request({ ':path': '/upload', ':method': 'POST', ...headers });
    stream.write('{"half":');
    const answer = await answerOf(stream);
    expect(answer.headers).toMatchObject({ ':status': 408 });
    expect(answer.headers).not.toHaveProperty('connection');
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'body_timeout' });
    const outcome = await eventually(() => outcomes[0]);
    expect(outcome).toMatchObject({ result: 'deadline', status: 408 });
    expect(session.destroyed).toBe(false);
    expect(notes.all).toEqual([]);
  });

  it('D10 tears down a stream of events', async () => {
    const { outcomes } = await start();
    const stream = session.request({ ':path': '/events' });
    await notes.seen('started');
    reset(stream);
    await notes.seen('torn down');
    const outcome = await eventually(() => outcomes[0]);
    expect(outcome).toMatchObject({ result: 'disconnect', status: 499 });
  });

  it('D10 records normal answers as completed', async () => {
    const { outcomes } = await start();
    await answerOf(session.request({ ':path': '/quick' }));
    const post = session.request({
      ':path': '/upload',
      ':method': 'POST',
      'content-type': 'application/json',
    });
    post.end('{"a":1}');
    expect((await answerOf(post)).body).toBe('{"a":1}');
    await eventually(() => outcomes.length === 2);
    expect(outcomes.map(({ result }) => result)).toEqual(['completed', 'completed']);
    expect(notes.all).toEqual(['upload ran']);
  });

  it.each(['deaf', 'guarded'])(
    'D10 answers 504 on time, and the session lives on: %s',
    async (kind) => {
      const { outcomes } = await start();
      await answerOf(session.request({ ':path': '/quick' }));
      const answer = await answerOf(session.request({ ':path': `/${kind}` }));
      expect(answer.headers).toMatchObject({
        ':status': 504,
        'content-type': 'application/problem+json',
      });
      expect(JSON.parse(answer.body)).toMatchObject({
        code: 'handler_timeout',
        instance: `/${kind}`,
      });
      expect(answer.elapsedMs).toBeGreaterThanOrEqual(150);
      expect(answer.elapsedMs).toBeLessThan(1_500);
      expect((await answerOf(session.request({ ':path': '/quick' }))).body).toBe('quick');
      await eventually(() => outcomes.length === 3);
      expect(outcomes[1]).toMatchObject({ result: 'deadline', status: 504 });
    },
  );

  it('D10 ends a stream of events with the reason, and leaves the session to the others', async () => {
    await start();
    const other = session.request({ ':path': '/wait' });
    await notes.seen('started');
    const answer = await answerOf(session.request({ ':path': '/limited-events' }));
    expect(answer.body).toContain('event: error\ndata: {"type":"about:blank"');
    await notes.seen('torn down');
    expect((await answerOf(session.request({ ':path': '/quick' }))).body).toBe('quick');
    reset(other);
    await notes.seen('aborted: disconnect');
  });

  it('D10 resets any other stream, and leaves the session to the others', async () => {
    await start();
    const stream = session.request({ ':path': '/limited-stream' });
    await once(stream, 'response');
    stream.resume();
    const [error] = (await once(stream, 'error').catch((caught) => [caught])) as [Error];
    expect(error.message).toContain('NGHTTP2_INTERNAL_ERROR');
    expect((await answerOf(session.request({ ':path': '/quick' }))).body).toBe('quick');
  });
});
