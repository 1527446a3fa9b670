import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { EventEmitter, once } from 'node:events';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { bindScope, currentScope, Deadline, isCancelled } from 'nestjs-timeouts';
import { Observable } from 'rxjs';
import type { TestApp } from '../support/app.js';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { call, expectProblem } from '../support/http-client.js';
import { Notes } from '../support/notes.js';
import { endless } from '../support/work.js';

const LIMIT = 150;

let notes = new Notes();

const seen = (where: string) => notes.add(`${where}: ${currentScope().name}`);

/** Takes what handlers hand out to be read by code that belongs to no request. */
const outside = new EventEmitter();

async function* generate(): AsyncGenerator<string> {
  try {
    seen('generator');
    yield 'a';
    await delay(5);
    seen('generator, later');
    yield 'b';
    await delay(60_000, undefined, { signal: currentScope().signal });
  } finally {
    seen('generator, ended');
  }
}

function observe(): Observable<number> {
  return new Observable((subscriber) => {
    seen('observable');
    subscriber.next(1);
    return () => notes.add('observable ended');
  });
}

@Controller()
@Deadline(LIMIT)
class BindingController {
  @Get('handed-out')
  handedOut() {
    const stream = endless(() => notes.add('stream ended'));
    outside.emit('sources', bindScope(generate()), bindScope(observe()), bindScope(stream));
    return delay(60_000, undefined, { signal: currentScope().signal });
  }
}

describe.each(STACKS)('bindScope on $adapter, $enforcement', (stack) => {
  let test: TestApp;

  beforeAll(async () => {
    test = await startApp(stack, { controllers: [BindingController] });
  });

  beforeEach(() => {
    notes = new Notes();
  });

  afterAll(closeApps);

  it('S13 sources that others read stay in the scope, and end with it', async () => {
    const errors: unknown[] = [];
    const reading = once(outside, 'sources').then(async (sources) => {
      const [iterable, observable, stream] = sources as [
        AsyncIterable<string>,
        Observable<number>,
        Readable,
      ];
      const fail = (error: unknown) => errors.push(error);
      stream.on('error', fail).resume();
      observable.subscribe({ error: fail });
      try {
        for await (const piece of iterable) notes.add(piece);
      } catch (error) {
        fail(error);
      }
    });

    const answer = await call(`${test.url}/handed-out`);
    await reading;

    expectProblem(answer, LIMIT);
    await notes.seen('observable ended');
    await notes.seen('stream ended');
    await notes.seen('generator, ended: GET /handed-out');
    for (const where of ['generator', 'generator, later', 'observable']) {
      expect(notes.all).toContain(`${where}: GET /handed-out`);
    }
    expect(notes.all).toEqual(expect.arrayContaining(['a', 'b']));
    expect(errors.filter(isCancelled)).toHaveLength(2);
    expect(errors).toHaveLength(3);
  });
});
