import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import * as inspector from 'node:inspector';
import { setTimeout as sleep } from 'node:timers/promises';
import { currentScope } from 'nestjs-timeouts';
import { ManualClock } from 'nestjs-timeouts/testing';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { call } from '../support/http-client.js';
import { Notes } from '../support/notes.js';

let notes = new Notes();
let clock = new ManualClock();

@Controller()
class SteppedController {
  @Get('slow')
  async slow() {
    const { signal } = currentScope();
    signal.addEventListener('abort', () => notes.add(`aborted: ${signal.reason.reason}`));
    notes.add('started');
    await notes.seen('stepped through');
    return { budgetMs: String(currentScope().budgetMs()) };
  }
}

describe.each(STACKS)('an attached inspector, on $adapter with $enforcement', (stack) => {
  beforeEach(() => {
    notes = new Notes();
    clock = new ManualClock();
  });
  afterEach(async () => {
    inspector.close();
    notes.add('stepped through');
    await closeApps();
  });

  const begin = async (suspendWhileDebugging: boolean | undefined) => {
    const { url } = await startApp(stack, {
      controllers: [SteppedController],
      options: { handler: '2s', clock, suspendWhileDebugging },
    });
    let answered = false;
    const answer = call(`${url}/slow`).finally(() => (answered = true));
    await notes.seen('started');
    return { answer, isAnswered: () => answered };
  };

  it('P16 suspends limits with suspendWhileDebugging', async () => {
    inspector.open(0, '127.0.0.1');
    const { answer, isAnswered } = await begin(true);
    clock.advance('10m');
    await sleep(20);
    expect(isAnswered()).toBe(false);
    notes.add('stepped through');
    expect(JSON.parse((await answer).body)).toEqual({ budgetMs: 'Infinity' });
    expect(notes.all).toEqual(['started', 'stepped through']);
  });

  it('P16 suspends limits of requests that were under way when it was attached', async () => {
    const { answer, isAnswered } = await begin(true);
    clock.advance('1s');
    inspector.open(0, '127.0.0.1');
    clock.advance('10m');
    await sleep(20);
    expect(isAnswered()).toBe(false);
    notes.add('stepped through');
    expect((await answer).status).toBe(200);
  });

  it('P16 lets the limits hold again, within a second, once it is detached', async () => {
    inspector.open(0, '127.0.0.1');
    const { answer } = await begin(true);
    clock.advance('1500ms');
    clock.advance('10m');
    inspector.close();
    clock.advance('1s');
    expect((await answer).status).toBe(504);
    expect(notes.all).toEqual(['started', 'aborted: deadline']);
  });

  it.each([false, undefined])(
    'P16 changes nothing with suspendWhileDebugging: %s',
    async (value) => {
      inspector.open(0, '127.0.0.1');
      const { answer } = await begin(value);
      clock.advance('2s');
      expect((await answer).status).toBe(504);
      expect(notes.all).toEqual(['started', 'aborted: deadline']);
    },
  );
});
