import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Controller, Get, Res, Sse } from '@nestjs/common';
import { Agent } from 'node:http';
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { currentScope, Deadline } from 'nestjs-timeouts';
import { concat, map, NEVER, Observable, of, take, timer } from 'rxjs';
import type { TestApp } from '../support/app.js';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import type { Answer } from '../support/http-client.js';
import { call, expectOnTime, expectProblem } from '../support/http-client.js';
import { Notes } from '../support/notes.js';
import { untilCancelled } from '../support/work.js';

const LIMIT = 150;

let notes = new Notes();

type Reply = ServerResponse & { raw?: ServerResponse; hijack?: () => void };

/** Node's own response, which the handler is to answer on. */
function rawOf(reply: Reply): ServerResponse {
  reply.hijack?.();
  return reply.raw ?? reply;
}

async function* ticking(gapMs: number, count = Infinity): AsyncGenerator<string> {
  for (let i = 0; i < count; i++) {
    if (i > 0) await delay(gapMs, undefined, { signal: currentScope().signal });
    yield `${i} `;
  }
}

const NEVER_ENDING = new Observable<never>(() => () => notes.add('events ended'));

abstract class Streams {
  @Get('generator')
  generator() {
    return ticking(20);
  }

  @Get('long')
  long() {
    return ticking(40, 10);
  }

  @Get('stalling')
  async *stalling() {
    yield* ticking(20, 5);
    await delay(60_000, undefined, { signal: currentScope().signal });
  }

  @Get('written')
  written(@Res() reply: Reply) {
    const res = rawOf(reply);
    res.writeHead(200, { 'content-type': 'text/plain' }).write('first');
  }

  @Sse('sse')
  sse() {
    return concat(of({ data: 'first' }), NEVER_ENDING);
  }

  @Get('events')
  events(@Res() reply: Reply) {
    const res = rawOf(reply);
    res.setHeader('Content-Type', 'text/event-stream');
    res.write('data: fir');
  }
}

/** The handler timeout bounds the first byte alone. */
@Controller('handler')
@Deadline(LIMIT)
class HandlerController {
  @Get('long')
  long() {
    return ticking(50, 6);
  }

  @Sse('sse')
  sse() {
    return timer(0, 50).pipe(
      take(6),
      map((data) => ({ data: String(data) })),
    );
  }

  @Get('written')
  written(@Res() reply: Reply) {
    const res = rawOf(reply);
    res.write('first ');
    setTimeout(() => res.end('last'), 2 * LIMIT);
  }

  @Sse('sse/hung')
  async sseHung() {
    await untilCancelled();
    return NEVER;
  }
}

@Controller('idle')
@Deadline({ handler: '10s', stream: { idle: LIMIT } })
class IdleController extends Streams {}

@Controller('total')
@Deadline({ handler: '10s', stream: { total: LIMIT } })
class TotalController extends Streams {}

/** A route that Nest knows nothing of. */
function prepare(app: INestApplication): void {
  app.getHttpAdapter().get('/raw', (_req: unknown, reply: Reply) => {
    new HandlerController().written(reply);
  });
}

/** The problem in the last event of the stream. */
function lastEvent({ body }: Answer): unknown {
  const events = body.split(/\n\n+/).filter(Boolean);
  const [name, data] = events.at(-1)!.split('\n');
  expect(name).toBe('event: error');
  return JSON.parse(data!.replace(/^data: /, ''));
}

describe.each(STACKS)('streams on $adapter, $enforcement', (stack) => {
  let test: TestApp;

  beforeAll(async () => {
    test = await startApp(stack, {
      controllers: [HandlerController, IdleController, TotalController],
      options: { handler: LIMIT },
      prepare,
    });
  });

  beforeEach(() => {
    notes = new Notes();
    test.outcomes.length = 0;
  });

  afterAll(closeApps);

  const callAll = (...paths: string[]) =>
    Promise.all(paths.map((path) => call(`${test.url}/${path}`)));

  it('H14 the first byte in time lifts the handler timeout', async () => {
    const [long, sse, written, raw] = await callAll(
      'handler/long',
      'handler/sse',
      'handler/written',
      'raw',
    );

    expect(long).toMatchObject({ status: 200, whole: true, body: '0 1 2 3 4 5 ' });
    expect(sse).toMatchObject({ status: 200, whole: true });
    expect(sse!.body).toMatch(/data: 5\n\n$/);
    expect(written).toMatchObject({ status: 200, whole: true, body: 'first last' });
    expect(raw).toMatchObject({ status: 200, whole: true, body: 'first last' });
    expect(test.outcomes.map(({ result }) => result)).toEqual(Array(4).fill('completed'));
  });

  it('H14 events that do not begin in time are answered with a problem', async () => {
    const [answer] = await callAll('handler/sse/hung');

    // With interceptors around the handler, Nest opens the stream before there is one.
    const isOpened = stack.enforcement === 'interceptor';
    const problem = isOpened ? lastEvent(answer!) : expectProblem(answer!, LIMIT);
    expectOnTime(answer!, LIMIT);
    expect(problem).toMatchObject({ status: 504, code: 'handler_timeout' });
  });

  it('H14 what is silent for too long, or lasts too long, is reset', async () => {
    const stall = 80;
    const [idle, written, ...total] = await callAll(
      'idle/stalling',
      'idle/written',
      'total/stalling',
      'total/generator',
      'total/written',
    );

    for (const answer of [idle!, written!, ...total]) {
      expect(answer).toMatchObject({ status: 200, whole: false });
    }
    expect(idle!.body).toBe('0 1 2 3 4 ');
    expectOnTime(idle!, stall + LIMIT);
    for (const answer of [written!, ...total]) expectOnTime(answer, LIMIT);
    await eventually(() => test.outcomes.length === 5, 'five outcomes');
    for (const outcome of test.outcomes) expect(outcome).toMatchObject({ result: 'deadline' });
  });

  it('H14 a stream that is never silent for long goes on', async () => {
    const [answer] = await callAll('idle/long');

    expect(answer).toMatchObject({ status: 200, whole: true, body: '0 1 2 3 4 5 6 7 8 9 ' });
    const told = () => test.outcomes.find(({ name }) => name === 'GET /idle/long');
    expect(await eventually(told)).toMatchObject({ result: 'completed' });
  });

  it('H14 events end with one that carries the problem', async () => {
    const answers = await callAll('idle/sse', 'total/sse', 'idle/events', 'total/events');

    for (const answer of answers) {
      expect(answer.status).toBe(200);
      expectOnTime(answer, LIMIT);
      expect(lastEvent(answer)).toMatchObject({ status: 504, code: 'handler_timeout' });
    }
    expect(lastEvent(answers[0]!)).toMatchObject({ detail: 'Stream sent nothing for 150ms' });
    expect(lastEvent(answers[1]!)).toMatchObject({
      detail: expect.stringMatching(/^Stream did not complete within \d+ms$/),
    });
    await notes.seen('events ended', 2);
  });

  it('H14 the connection carries the next request after a whole stream', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    let connections = 0;
    const count = () => connections++;
    test.app.getHttpServer().on('connection', count);

    for (let i = 0; i < 3; i++) {
      const answer = await call(`${test.url}/handler/long`, { agent });
      expect(answer).toMatchObject({ status: 200, whole: true });
    }

    test.app.getHttpServer().off('connection', count);
    agent.destroy();
    expect(connections).toBe(1);
  });
});
