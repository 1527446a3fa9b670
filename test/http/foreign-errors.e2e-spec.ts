import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, Param } from '@nestjs/common';
import { EventEmitter, once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { all, currentScope, Deadline, isCancelled, withDeadline } from 'nestjs-timeouts';
import { TimeoutError, throwError } from 'rxjs';
import type { TestApp } from '../support/app.js';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { call, expectProblem } from '../support/http-client.js';
import { untilCancelled } from '../support/work.js';

const INNER = 100;

/** Errors that look like a timeout or a cancel, of somebody else. */
const FOREIGN: Record<string, () => unknown> = {
  'an aborted signal': () => Promise.reject(AbortSignal.abort().reason as Error),
  'a timed out signal': () => once(new EventEmitter(), 'x', { signal: AbortSignal.timeout(10) }),
  'a DOMException': () => {
    throw new DOMException('Slow', 'TimeoutError');
  },
  'an rxjs timeout': () => throwError(() => new TimeoutError()),
  'an error with the code of a socket': () =>
    Promise.reject(Object.assign(new Error('reset'), { code: 'ECONNRESET' })),
  'an error called AbortError': () =>
    Promise.reject(Object.assign(new Error('stop'), { name: 'AbortError', code: 'ABORT_ERR' })),
  'an error called CancelledError': () =>
    Promise.reject(
      Object.assign(new Error('stop'), { name: 'CancelledError', reason: 'deadline' }),
    ),
  'an error caused by one of ours': async () => {
    const cause = await withDeadline(10, untilCancelled).catch((error: unknown) => error);
    throw new Error('wrapped', { cause });
  },
};

@Controller()
class ForeignController {
  @Get('foreign/:name')
  foreign(@Param('name') name: string) {
    return FOREIGN[name]!();
  }

  @Deadline({ status: 503, title: 'Too slow', detail: 'The route was too slow' })
  @Get('inner')
  inner() {
    return withDeadline(INNER, untilCancelled, { name: 'retrieve' });
  }

  @Get('branch')
  branch() {
    return all([
      () => withDeadline(INNER, untilCancelled, { name: 'retrieve' }),
      () => delay(5_000, undefined, { signal: currentScope().signal }),
    ]);
  }

  @Get('handled')
  async handled() {
    try {
      return await withDeadline(INNER, untilCancelled, { name: 'retrieve' });
    } catch (error) {
      return isCancelled(error) ? { without: error.scopeName } : { error: true };
    }
  }

  @Get('explicit')
  explicit() {
    currentScope().cancel('explicit', 'Not needed after all');
    return untilCancelled();
  }
}

describe.each(STACKS)('errors of others on $adapter, $enforcement', (stack) => {
  let test: TestApp;

  beforeAll(async () => {
    test = await startApp(stack, { controllers: [ForeignController] });
  });

  afterAll(closeApps);

  it('H11 a cancellation that is not ours stays what Nest makes of it', async () => {
    test.outcomes.length = 0;
    const names = Object.keys(FOREIGN);

    const answers = await Promise.all(
      names.map((name) => call(`${test.url}/foreign/${encodeURIComponent(name)}`)),
    );

    const bodies = answers.map(({ status, body }) => [status, JSON.parse(body)]);
    const internal = { statusCode: 500, message: 'Internal server error' };
    expect(bodies).toEqual(names.map(() => [500, internal]));
    const requests = test.outcomes.filter(({ kind }) => kind === 'request');
    expect(requests.map(({ result }) => result)).toEqual(names.map(() => 'failed'));
  });

  it('H11 an inner deadline keeps its own name, limit and layer', async () => {
    const answers = await Promise.all([call(`${test.url}/inner`), call(`${test.url}/branch`)]);

    for (const answer of answers) {
      expect(expectProblem(answer, INNER)).toMatchObject({
        title: 'Gateway Timeout',
        status: 504,
        detail: 'retrieve did not complete within 100ms',
        code: 'handler_timeout',
        layer: 'handler',
        timeoutMs: INNER,
      });
    }
  });

  it('H11 an inner deadline that was handled is no failure', async () => {
    const { status, body } = await call(`${test.url}/handled`);

    expect([status, JSON.parse(body)]).toEqual([200, { without: 'retrieve' }]);
  });

  it('H11 a scope that was cancelled on purpose is no timeout', async () => {
    const answer = await call(`${test.url}/explicit`);

    expect(expectProblem(answer, 0, 500)).toMatchObject({
      code: 'cancelled',
      detail: 'Not needed after all',
    });
  });
});
