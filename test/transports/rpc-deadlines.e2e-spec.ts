import { afterEach, describe, expect, it } from '@jest/globals';
import type { CanActivate } from '@nestjs/common';
import { Catch, Controller, Get, UseFilters, UseGuards } from '@nestjs/common';
import {
  Ctx,
  EventPattern,
  MessagePattern,
  Payload,
  RpcException,
  TcpContext,
} from '@nestjs/microservices';
import { setTimeout as wait } from 'node:timers/promises';
import { CancelSignal, currentScope, Deadline, SkipTimeout, withDeadline } from 'nestjs-timeouts';
import { firstValueFrom, interval, map, of, take, throwError, toArray } from 'rxjs';
import { eventually } from '../support/eventually.js';
import { call } from '../support/http-client.js';
import { Notes } from '../support/notes.js';
import { untilCancelled } from '../support/work.js';
import { watchProcess } from '../support/watch-process.js';
import { closeServices, SERVICES, startService } from './fixtures/rpc.js';

let notes = new Notes();

/** Work that does not listen, and ends well after every limit here. */
const deafWork = () => wait(350);

class SlowGuard implements CanActivate {
  async canActivate(): Promise<boolean> {
    await wait(60);
    return true;
  }
}

/** Runs into a limit of its own. */
class ImpatientGuard implements CanActivate {
  canActivate(): Promise<boolean> {
    return withDeadline(20, () => wait(350, true));
  }
}

@Catch(RpcException)
class OwnFilter {
  catch(exception: RpcException) {
    const { code } = exception.getError() as { code: string };
    return throwError(() => ({ status: 'own', code }));
  }
}

@Controller()
@Deadline(100)
class WorkController {
  @MessagePattern('quick')
  quick(@Payload() data: number[]) {
    return data.length;
  }

  @MessagePattern({ cmd: 'deaf' })
  async deaf() {
    await wait(160);
    notes.add('deaf was done');
  }

  @MessagePattern('hung')
  hung() {
    return deafWork();
  }

  @MessagePattern('attentive')
  async attentive(@CancelSignal() signal: AbortSignal) {
    signal.addEventListener('abort', () => notes.add('aborted'));
    await untilCancelled();
  }

  @MessagePattern('observable')
  observable() {
    return interval(1_000);
  }

  @MessagePattern('stream')
  stream() {
    return interval(50).pipe(take(4));
  }

  @MessagePattern('bounded stream')
  @Deadline({ stream: { total: 120 } })
  boundedStream() {
    return interval(20);
  }

  @MessagePattern('guarded')
  @UseGuards(SlowGuard)
  async guarded() {
    notes.add('started');
    await wait(60);
    return 'late';
  }

  @MessagePattern('slow pipe')
  async slowPipe(@Payload({ transform: () => wait(150) }) _data: unknown) {
    notes.add('started');
  }

  @MessagePattern('impatiently guarded')
  @UseGuards(ImpatientGuard)
  impatientlyGuarded() {
    notes.add('started');
  }

  @MessagePattern('own filter')
  @UseFilters(OwnFilter)
  ownFilter() {
    return deafWork();
  }

  @MessagePattern('longer')
  @Deadline('5s')
  async longer() {
    await wait(150);
    return currentScope().budgetMs() > 1_000;
  }

  @MessagePattern('skipped')
  @SkipTimeout()
  async skipped() {
    await wait(150);
    return currentScope().budgetMs();
  }

  @MessagePattern('asked')
  @Deadline((context) => context.switchToRpc().getData<{ ms: number }>().ms)
  asked(@Ctx() _context: TcpContext) {
    return deafWork();
  }

  @MessagePattern('inner')
  inner() {
    return withDeadline(20, deafWork);
  }

  @MessagePattern('fails')
  fails() {
    throw new RpcException('no such order');
  }

  @EventPattern('event')
  async event(_data: unknown) {
    await untilCancelled().catch(() => notes.add('event ended'));
  }

  @Get('both')
  @MessagePattern('both')
  both() {
    return deafWork();
  }

  @MessagePattern('several')
  several() {
    return of(1, 2, 3).pipe(map((value) => value * 2));
  }
}

const warnings = watchProcess();

afterEach(async () => {
  await closeServices();
  notes = new Notes();
});

describe.each(SERVICES)('messages over TCP, %s', (kind) => {
  const start = () => startService(kind, { controllers: [WorkController] });
  const ask = async (
    { client }: Awaited<ReturnType<typeof start>>,
    pattern: unknown,
    data: unknown = {},
  ) => firstValueFrom(client.send(pattern, data)).catch((error: unknown) => error);

  const LIMIT = {
    status: 'error',
    code: 'handler_timeout',
    layer: 'handler',
    message: 'Handler did not complete within 100ms',
    timeoutMs: 100,
  };

  it('N01 a handler in time answers as before, and leaves an outcome', async () => {
    const service = await start();

    expect(await ask(service, 'quick', [1, 2])).toBe(2);
    expect(await firstValueFrom(service.client.send('several', {}).pipe(toArray()))).toEqual([
      2, 4, 6,
    ]);
    expect(await ask(service, 'fails')).toEqual({ status: 'error', message: 'no such order' });

    const messages = service.outcomes.filter((outcome) => outcome.kind === 'message');
    expect(
      messages.map(({ name, result, timeoutMs }) => [name, result, Math.round(timeoutMs)]),
    ).toEqual([
      ['rpc quick', 'completed', 100],
      ['rpc several', 'completed', 100],
      ['rpc fails', 'failed', 100],
    ]);
    expect(service.drain.inFlight).toBe(0);
  });

  it.each(['hung', 'observable', 'both'])(
    'N02 %s: the caller is answered at the deadline',
    async (pattern) => {
      const service = await start();

      const startedAt = performance.now();
      const answer = await ask(service, pattern);

      expect(answer).toEqual({ ...LIMIT, elapsedMs: expect.any(Number) });
      expect(performance.now() - startedAt).toBeGreaterThan(95);
      expect(performance.now() - startedAt).toBeLessThan(400);
      expect(service.monitor.snapshot().counters).toEqual([
        { layer: 'handler', reason: 'deadline', route: `rpc ${pattern}`, count: 1 },
      ]);
    },
  );

  it('N02 the signal aborts, and work that goes on is late', async () => {
    const service = await start();

    await Promise.all([ask(service, 'attentive'), ask(service, { cmd: 'deaf' })]);

    await notes.seen('aborted');
    await notes.seen('deaf was done');
    const [late] = await eventually(() => service.late.length > 0 && service.late);
    expect(late).toMatchObject({ kind: 'message', name: 'rpc {"cmd":"deaf"}', reason: 'deadline' });
    expect(service.drain.inFlight).toBe(0);
  });

  it('N02 what guards take counts, and a slow pipe keeps the handler from starting', async () => {
    const service = await start();

    expect(await ask(service, 'guarded')).toMatchObject({ code: 'handler_timeout' });
    await notes.seen('started');
    expect(await ask(service, 'slow pipe')).toMatchObject({ code: 'handler_timeout' });
    expect(await ask(service, 'longer')).toBe(true);
    expect(notes.count('started')).toBe(1);
  });

  it('N02 a method beats its class, a function sees the message, and a skip lifts', async () => {
    const service = await start();

    expect(await ask(service, 'longer')).toBe(true);
    expect(await ask(service, 'skipped')).toBe(null);
    expect(await ask(service, 'asked', { ms: 30 })).toMatchObject({ timeoutMs: 30 });
    expect(await ask(service, 'inner')).toMatchObject({ code: 'handler_timeout', timeoutMs: 20 });
  });

  it('N02 a filter of the handler can replace the answer', async () => {
    const service = await start();

    expect(await ask(service, 'own filter')).toEqual({ status: 'own', code: 'handler_timeout' });
  });

  it('N03 from its first value on, the limits of a stream hold', async () => {
    const service = await start();

    expect(await firstValueFrom(service.client.send('stream', {}).pipe(toArray()))).toEqual([
      0, 1, 2, 3,
    ]);
    expect(
      await firstValueFrom(service.client.send('bounded stream', {}).pipe(toArray())).catch(
        (error) => error,
      ),
    ).toMatchObject({ code: 'handler_timeout' });
  });

  it('N02 an event ends at the deadline', async () => {
    const service = await start();

    service.client.emit('event', {});

    await notes.seen('event ended');
    const [outcome] = await eventually(() => service.outcomes.length > 0 && service.outcomes);
    expect(outcome).toMatchObject({ name: 'rpc event', result: 'deadline' });
  });

  if (kind !== 'hybrid') {
    it('N02 a guard that runs into a limit is answered where global filters are in force', async () => {
      const service = await start();

      const answer = await ask(service, 'impatiently guarded');

      expect(answer).toMatchObject({ code: 'handler_timeout', timeoutMs: 20 });
      expect(notes.count('started')).toBe(0);
    });
  }

  if (kind === 'pure') return;

  it('N01 a handler that serves HTTP too keeps its answer there', async () => {
    const service = await start();

    const { status, body } = await call(`${service.url}/both`);

    expect([status, JSON.parse(body)]).toMatchObject([504, { code: 'handler_timeout' }]);
  });
});

it('N01 nothing of all that made the process warn', () => {
  expect(warnings).toEqual([]);
});
