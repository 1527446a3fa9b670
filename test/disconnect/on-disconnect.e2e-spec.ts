import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ExceptionFilter } from '@nestjs/common';
import { Catch, Controller, Get } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { once } from 'node:events';
import type { Server, Socket } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { currentScope, Deadline, withDeadline } from 'nestjs-timeouts';
import { ManualClock } from 'nestjs-timeouts/testing';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { Notes } from '../support/notes.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { watchProcess } from '../support/watch-process.js';

let notes = new Notes();
let gone = new Notes();

/** Goes on until it is told to stop, whatever happens to its client. */
async function untilTold(): Promise<string> {
  const { signal } = currentScope();
  signal.addEventListener('abort', () => notes.add(`aborted: ${signal.reason.reason}`));
  notes.add('started');
  await notes.seen('may stop');
  notes.add('stopped');
  return 'done';
}

async function untilCancelled(): Promise<void> {
  const { signal } = currentScope();
  notes.add('started');
  await once(signal, 'abort');
  notes.add(`aborted: ${signal.reason.reason}`);
  throw signal.reason;
}

@Deadline({ onDisconnect: 'continue' })
@Controller()
class PaymentController {
  @Get('pay')
  pay() {
    return withDeadline('10s', untilTold);
  }

  @Get('failing')
  async failing() {
    await untilTold();
    throw new Error('payment failed');
  }

  @Deadline('2s')
  @Get('limited')
  limited() {
    return untilCancelled();
  }

  @Deadline('2s')
  @Get('limited-deaf')
  limitedDeaf() {
    return untilTold();
  }

  @Deadline({ onDisconnect: { grace: '500ms' } })
  @Get('graced')
  graced() {
    return untilCancelled();
  }

  @Deadline({ onDisconnect: { grace: '500ms' } })
  @Get('graced-quick')
  gracedQuick() {
    return untilTold();
  }

  @Deadline({ onDisconnect: 'cancel' })
  @Get('cancelled')
  cancelled() {
    return untilCancelled();
  }
}

@Catch()
class NotingFilter implements ExceptionFilter {
  catch(error: unknown): void {
    notes.add(`filter: ${String(error)}`);
  }
}

describe.each(STACKS)('a route that goes on alone, on $adapter with $enforcement', (stack) => {
  let clock = new ManualClock();
  let logger = new RecordingLogger();
  const incidents = watchProcess();
  const expectQuiet = () => expect(incidents).toEqual([]);

  const leaveDuring = async (path: string) => {
    const app = await startApp(stack, {
      controllers: [PaymentController],
      providers: [{ provide: APP_FILTER, useClass: NotingFilter }],
      options: { clock },
      nest: { logger },
      prepare: (nest) => {
        const noteEnd = (socket: Socket) => socket.on('close', () => gone.add('connection closed'));
        (nest.getHttpServer() as Server).on('connection', noteEnd);
      },
    });
    const client = await RawConnection.open(app.port);
    client.send(rawRequest('GET', path));
    await notes.seen('started');
    client.leave();
    await gone.seen('connection closed');
    return app;
  };

  beforeEach(() => {
    notes = new Notes();
    gone = new Notes();
    clock = new ManualClock();
    logger = new RecordingLogger();
    incidents.length = 0;
  });
  afterEach(async () => {
    await closeApps();
    expectQuiet();
  });

  it("D09 'continue' lets the work finish, in flight for the drain, and records 499", async () => {
    const { outcomes, monitor, late } = await leaveDuring('/pay');
    clock.advance('9s');
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(notes.all).toEqual(['started']);
    expect(outcomes).toEqual([]);
    expect(monitor.snapshot().inFlight).toHaveLength(1);
    notes.add('may stop');
    await eventually(() => outcomes.length === 2);
    expect(outcomes[0]).toMatchObject({ kind: 'block', result: 'completed' });
    expect(outcomes[1]).toMatchObject({ kind: 'request', result: 'completed', status: 499 });
    expect(notes.all).toEqual(['started', 'may stop', 'stopped']);
    expect(late).toEqual([]);
    expect(monitor.snapshot().inFlight).toEqual([]);
    expect(logger.at('error', 'fatal', 'warn')).toEqual([]);
  });

  it("D09 'continue' keeps the filters: a failure of the work is not for the client alone", async () => {
    const { outcomes } = await leaveDuring('/failing');
    notes.add('may stop');
    await notes.seen('filter: Error: payment failed');
    const outcome = await eventually(() => outcomes[0]);
    expect(outcome).toMatchObject({ result: 'failed', status: 499 });
    expect(outcome.error).toEqual(new Error('payment failed'));
  });

  it.each(['limited', 'limited-deaf'])("D09 'continue' keeps the deadline: %s", async (kind) => {
    const { outcomes, monitor } = await leaveDuring(`/${kind}`);
    clock.advance('1999ms');
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(notes.all).toEqual(['started']);
    clock.advance('1ms');
    await notes.seen('aborted: deadline');
    const outcome = await eventually(() => outcomes[0]);
    expect(outcome).toMatchObject({ result: 'deadline', status: 499, late: true });
    notes.add('may stop');
    await eventually(() => monitor.snapshot().inFlight.length === 0);
    expect(outcomes).toHaveLength(1);
    expect(notes.all.join()).not.toContain('filter');
    expect(logger.at('error', 'fatal', 'warn')).toEqual([]);
  });

  it('D09 a grace cancels what has not finished by its end', async () => {
    const { outcomes } = await leaveDuring('/graced');
    clock.advance('499ms');
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(notes.all).toEqual(['started']);
    clock.advance('1ms');
    await notes.seen('aborted: disconnect');
    const outcome = await eventually(() => outcomes[0]);
    expect(outcome).toMatchObject({ result: 'disconnect', status: 499 });
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(outcomes).toHaveLength(1);
    expect(notes.all).toEqual(['started', 'aborted: disconnect']);
  });

  it('D09 a grace leaves what finishes within it alone', async () => {
    const { outcomes } = await leaveDuring('/graced-quick');
    clock.advance('499ms');
    notes.add('may stop');
    const outcome = await eventually(() => outcomes[0]);
    expect(outcome).toMatchObject({ result: 'completed', status: 499 });
    clock.advance('10s');
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(notes.all).toEqual(['started', 'may stop', 'stopped']);
    expect(outcomes).toHaveLength(1);
  });

  it("D09 'cancel' on a method beats the class", async () => {
    const { outcomes } = await leaveDuring('/cancelled');
    await notes.seen('aborted: disconnect');
    const outcome = await eventually(() => outcomes[0]);
    expect(outcome).toMatchObject({ result: 'disconnect', status: 499 });
  });
});
