import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Body, Controller, Get, Param, Post, Sse } from '@nestjs/common';
import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { currentScope } from 'nestjs-timeouts';
import { Observable } from 'rxjs';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { Notes } from '../support/notes.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { watchProcess } from '../support/watch-process.js';

let notes = new Notes();
let logger = new RecordingLogger();

function watch(id: string): AbortSignal {
  const { signal } = currentScope();
  signal.addEventListener('abort', () => notes.add(`${id} aborted: ${signal.reason.reason}`));
  notes.add(`${id} started`);
  return signal;
}

@Controller()
class ConnectionController {
  @Get('quick/:id')
  quick(@Param('id') id: string) {
    watch(id);
    return `answer ${id}`;
  }

  @Get('told/:id')
  async told(@Param('id') id: string) {
    watch(id);
    await notes.seen(`${id} may answer`);
    return `answer ${id}`;
  }

  @Post('wait/:id')
  async wait(@Param('id') id: string, @Body() body: unknown) {
    const signal = watch(id);
    await once(signal, 'abort');
    return body;
  }

  @Sse('events/:id')
  events(@Param('id') id: string) {
    watch(id);
    return new Observable((subscriber) => {
      subscriber.next('first');
      return () => notes.add(`${id} torn down`);
    });
  }
}

const BODY = '{"a":1}';
const post = (path: string) =>
  rawRequest(
    'POST',
    path,
    ['Content-Type: application/json', `Content-Length: ${BODY.length}`],
    BODY,
  );
const get = (path: string) => rawRequest('GET', path);

describe.each(STACKS)('a connection on $adapter with $enforcement', (stack) => {
  const incidents = watchProcess();
  const expectQuiet = () => {
    expect(logger.at('error', 'fatal')).toEqual([]);
    expect(incidents).toEqual([]);
  };
  const start = async () => {
    const started = await startApp(stack, {
      controllers: [ConnectionController],
      nest: { logger },
    });
    return { ...started, client: await RawConnection.open(started.port) };
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

  it('D05 keep-alive: the end of request 1 never touches request 2, nor the other way round', async () => {
    const { client, outcomes } = await start();
    client.send(get('/quick/1'));
    await client.receives('answer 1');
    client.send(get('/told/2'));
    await notes.seen('2 started');
    notes.add('2 may answer');
    await client.receives('answer 2');
    client.send(post('/wait/3'));
    await notes.seen('3 started');
    client.leave();
    await notes.seen('3 aborted: disconnect');
    await eventually(() => outcomes.length === 3);
    expect(outcomes.map(({ result }) => result)).toEqual(['completed', 'completed', 'disconnect']);
    expect(notes.all.filter((note) => note.includes('aborted'))).toEqual(['3 aborted: disconnect']);
  });

  it('D05 pipelining: a request that is answered leaves the next one alone', async () => {
    const { client, outcomes, monitor } = await start();
    client.send(get('/told/1') + get('/told/2') + get('/told/3'));
    await notes.seen('3 started');
    notes.add('1 may answer');
    await client.receives('answer 1');
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(monitor.snapshot().inFlight).toHaveLength(2);
    notes.add('3 may answer');
    for (let turns = 0; turns < 20; turns++) await turn();
    notes.add('2 may answer');
    await client.receives('answer 3');
    await eventually(() => outcomes.length === 3);
    expect(outcomes.map(({ result, status }) => [result, status])).toEqual(
      Array.from({ length: 3 }, () => ['completed', 200]),
    );
    expect(notes.all.some((note) => note.includes('aborted'))).toBe(false);
  });

  it('D05 pipelining: leaving cancels the request that is answered and those that wait', async () => {
    const { client, outcomes, monitor } = await start();
    client.send(get('/told/0') + post('/wait/1') + post('/wait/2') + get('/events/3'));
    await Promise.all(['0', '1', '2', '3'].map((id) => notes.seen(`${id} started`)));
    notes.add('0 may answer');
    await client.receives('answer 0');
    client.leave();
    await Promise.all(['1', '2', '3'].map((id) => notes.seen(`${id} aborted: disconnect`)));
    await notes.seen('3 torn down');
    await eventually(() => outcomes.length === 4);
    expect(outcomes.map(({ result, status }) => [result, status])).toEqual([
      ['completed', 200],
      ...Array.from({ length: 3 }, () => ['disconnect', 499]),
    ]);
    expect(notes.all.filter((note) => note.includes('aborted'))).toHaveLength(3);
    expect(monitor.snapshot().inFlight).toEqual([]);
  });

  it('D05 pipelining: many requests of one connection add no listener each', async () => {
    const { client, outcomes } = await start();
    const ids = Array.from({ length: 30 }, (_, index) => String(index));
    client.send(ids.map((id) => get(`/told/${id}`)).join(''));
    await notes.seen('29 started');
    for (const id of ids) notes.add(`${id} may answer`);
    await client.receives('answer 29');
    await eventually(() => outcomes.length === 30);
    expect(outcomes.every(({ result }) => result === 'completed')).toBe(true);
  });

  it('D06 half-close: a FIN after the request is a disconnect, as Node ends the connection', async () => {
    const { client, outcomes } = await start();
    client.send(post('/wait/1'));
    await notes.seen('1 started');
    client.halfClose();
    await notes.seen('1 aborted: disconnect');
    await client.closed;
    const outcome = await eventually(() => outcomes[0]);
    expect(outcome).toMatchObject({ result: 'disconnect', status: 499 });
    expect(client.received).toBe('');
  });

  it('D06 half-close: with httpAllowHalfOpen on the server the client gets its answer', async () => {
    const { client, outcomes, app } = await start();
    app.getHttpServer().httpAllowHalfOpen = true;
    client.send(get('/told/1'));
    await notes.seen('1 started');
    client.halfClose();
    for (let turns = 0; turns < 20; turns++) await turn();
    notes.add('1 may answer');
    await client.receives('answer 1');
    await client.closed;
    const outcome = await eventually(() => outcomes[0]);
    expect(outcome).toMatchObject({ result: 'completed', status: 200 });
    expect(notes.all).not.toContain('1 aborted: disconnect');
  });
});
