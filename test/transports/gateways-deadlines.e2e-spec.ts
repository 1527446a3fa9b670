import { afterEach, describe, expect, it } from '@jest/globals';
import type { ArgumentsHost } from '@nestjs/common';
import { Catch, Injectable, Scope, UseFilters } from '@nestjs/common';
import { MessageBody, SubscribeMessage, WebSocketGateway, WsException } from '@nestjs/websockets';
import { setTimeout as wait } from 'node:timers/promises';
import type { CancelledError } from 'nestjs-timeouts';
import { CancelSignal, currentScope, Deadline, SkipTimeout } from 'nestjs-timeouts';
import { interval, map } from 'rxjs';
import { eventually } from '../support/eventually.js';
import { Notes } from '../support/notes.js';
import { untilCancelled } from '../support/work.js';
import { watchProcess } from '../support/watch-process.js';
import { closeGateways, PLATFORMS, startGateway } from './fixtures/gateway.js';

let notes = new Notes();

@Catch(WsException)
class OwnFilter {
  catch(exception: WsException, host: ArgumentsHost) {
    const { code } = exception.getError() as { code: string };
    const client = host.switchToWs().getClient<{
      readyState?: number;
      send(text: string): void;
      emit(event: string, data: unknown): void;
    }>();
    if (client.readyState === undefined) client.emit('own', { code });
    else client.send(JSON.stringify({ event: 'own', data: { code } }));
  }
}

@WebSocketGateway()
@Deadline(100)
class WorkGateway {
  @SubscribeMessage('quick')
  quick(@MessageBody() data: number[]) {
    return { event: 'quick', data: data.length };
  }

  @SubscribeMessage('deaf')
  async deaf() {
    await wait(300);
    notes.add('deaf was done');
    return { event: 'deaf', data: 'late' };
  }

  @SubscribeMessage('attentive')
  async attentive(@CancelSignal() signal: AbortSignal) {
    signal.addEventListener('abort', () => notes.add('aborted'));
    await untilCancelled();
  }

  @SubscribeMessage('patient')
  @SkipTimeout()
  async patient() {
    const { signal } = currentScope();
    signal.addEventListener('abort', () =>
      notes.add(`aborted: ${(signal.reason as CancelledError).reason}`),
    );
    notes.add('began');
    await untilCancelled();
  }

  @SubscribeMessage('ticks')
  ticks() {
    return interval(40).pipe(map((data) => ({ event: 'tick', data })));
  }

  @SubscribeMessage('silent')
  silent() {
    return interval(1_000);
  }

  @SubscribeMessage('longer')
  @Deadline('5s')
  async longer() {
    await wait(150);
    return { event: 'longer', data: currentScope().budgetMs() > 1_000 };
  }

  @SubscribeMessage('asked')
  @Deadline((context) => context.switchToWs().getData<{ ms: number }>().ms)
  asked() {
    return wait(300);
  }

  @SubscribeMessage('own filter')
  @UseFilters(OwnFilter)
  ownFilter() {
    return wait(300);
  }

  @SubscribeMessage('fails')
  fails() {
    throw new WsException({ status: 'error', message: 'no such room' });
  }
}

@Injectable({ scope: Scope.REQUEST })
class PerRequest {}

@WebSocketGateway()
class RequestScopedGateway {
  constructor(readonly perRequest: PerRequest) {}

  @SubscribeMessage('scoped')
  @Deadline(50)
  scoped() {
    return wait(300);
  }
}

const warnings = watchProcess();

afterEach(async () => {
  await closeGateways();
  notes = new Notes();
});

describe.each(PLATFORMS)('messages of gateways on %s', (platform) => {
  const start = () =>
    startGateway(platform, { providers: [WorkGateway, RequestScopedGateway, PerRequest] });

  const LIMIT = {
    status: 'error',
    code: 'handler_timeout',
    layer: 'handler',
    message: 'Handler did not complete within 100ms',
    timeoutMs: 100,
    elapsedMs: expect.any(Number),
  };

  it('N04 a handler in time answers as before, and leaves an outcome', async () => {
    const { connect, outcomes, drain } = await start();
    const client = await connect();

    const quick = client.next('quick');
    client.send('quick', [1, 2]);
    expect(await quick).toBe(2);
    const failed = client.next('exception');
    client.send('fails');
    expect(await failed).toEqual({ status: 'error', message: 'no such room' });

    await eventually(() => outcomes.length === 2);
    expect(outcomes.map(({ kind, name, result }) => [kind, name, result])).toEqual([
      ['message', 'ws quick', 'completed'],
      ['message', 'ws fails', 'failed'],
    ]);
    expect(drain.inFlight).toBe(0);
  });

  it.each(['deaf', 'attentive', 'silent'])(
    'N05 %s: the client is told at the deadline',
    async (event) => {
      const { connect, monitor } = await start();
      const client = await connect();
      const told = client.next('exception');

      const sentAt = performance.now();
      client.send(event);

      expect(await told).toEqual(LIMIT);
      expect(performance.now() - sentAt).toBeGreaterThan(95);
      expect(performance.now() - sentAt).toBeLessThan(290);
      expect(monitor.snapshot().counters).toEqual([
        { layer: 'handler', reason: 'deadline', route: `ws ${event}`, count: 1 },
      ]);
    },
  );

  it('N05 work that goes on is late, and its result is not sent', async () => {
    const { connect, late, drain } = await start();
    const client = await connect();
    let isSent = false;
    void client.next('deaf').then(
      () => (isSent = true),
      () => {},
    );
    client.send('deaf');

    await notes.seen('deaf was done');

    await eventually(() => late.length === 1);
    expect(late[0]).toMatchObject({ kind: 'message', name: 'ws deaf', reason: 'deadline' });
    await eventually(() => drain.inFlight === 0);
    const quick = client.next('quick');
    client.send('quick', []);
    await quick;
    expect(isSent).toBe(false);
  });

  it('N05 a method beats its class, a function sees the message, and instances per request count', async () => {
    const { connect } = await start();
    const client = await connect();

    const longer = client.next('longer');
    client.send('longer');
    expect(await longer).toBe(true);
    for (const [event, timeoutMs] of [
      ['asked', 30],
      ['scoped', 50],
    ] as const) {
      const told = client.next('exception');
      client.send(event, { ms: 30 });
      expect(await told).toMatchObject({ code: 'handler_timeout', timeoutMs });
    }
  });

  it('N05 a filter of the handler can replace the answer', async () => {
    const { connect } = await start();
    const client = await connect();

    const own = client.next('own');
    client.send('own filter');
    expect(await own).toEqual({ code: 'handler_timeout' });
  });

  it('N06 a client that leaves cancels what runs for it, a promise too', async () => {
    const { connect, outcomes, drain } = await start();
    const client = await connect();
    client.send('patient');
    await notes.seen('began');

    client.leave();

    await notes.seen('aborted: disconnect');
    await eventually(() => outcomes.length === 1 && drain.inFlight === 0);
    expect(outcomes[0]).toMatchObject({ name: 'ws patient', result: 'disconnect' });
  });

  it('N06 a stream goes on past the deadline, and ends with its client', async () => {
    const { connect, outcomes } = await start();
    const client = await connect();
    client.send('ticks');
    let tick: unknown = 0;
    while (tick !== 4) tick = await client.next('tick');

    client.leave();

    await eventually(() => outcomes.length === 1);
    expect(outcomes[0]).toMatchObject({ name: 'ws ticks', result: 'disconnect' });
  });
});

it('N01 nothing of all that made the process warn', () => {
  expect(warnings).toEqual([]);
});
