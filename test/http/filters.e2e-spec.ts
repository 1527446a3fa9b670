import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ArgumentsHost, ExceptionFilter } from '@nestjs/common';
import { Catch, Controller, Get, HttpException, Res, UseFilters } from '@nestjs/common';
import { APP_FILTER, BaseExceptionFilter, HttpAdapterHost } from '@nestjs/core';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { setTimeout as delay } from 'node:timers/promises';
import { CancelledError, Deadline, DeadlineExceededError } from 'nestjs-timeouts';
import { NEVER } from 'rxjs';
import type { TestApp, TestAppSettings } from '../support/app.js';
import { closeApps, startApp, STACKS } from '../support/app.js';
import type { Answer } from '../support/http-client.js';
import { call, expectOnTime, expectProblem } from '../support/http-client.js';
import { block, forever, untilCancelled } from '../support/work.js';

const LIMIT = 150;
const BACKSTOP = 60;

let adapter: AbstractHttpAdapter;

/** Says what a filter was given, in an answer of its own. */
function describeError(error: unknown, host: ArgumentsHost, by: string): void {
  const body = {
    by,
    cancelled: error instanceof CancelledError && error.reason,
    deadline: error instanceof DeadlineExceededError,
    status: error instanceof HttpException && error.getStatus(),
  };
  adapter.reply(host.switchToHttp().getResponse(), body, 418);
}

@Catch(HttpException)
class HttpFilter implements ExceptionFilter {
  catch(error: HttpException, host: ArgumentsHost) {
    describeError(error, host, 'HttpFilter');
  }
}

@Catch()
class CatchAllFilter implements ExceptionFilter {
  catch(error: unknown, host: ArgumentsHost) {
    describeError(error, host, 'CatchAllFilter');
  }
}

@Catch(CancelledError)
class AsyncFilter implements ExceptionFilter {
  async catch(error: CancelledError, host: ArgumentsHost) {
    await delay(30);
    describeError(error, host, 'AsyncFilter');
  }
}

@Catch()
class HangingFilter implements ExceptionFilter {
  catch() {
    return forever();
  }
}

@Catch()
class SilentFilter implements ExceptionFilter {
  catch() {}
}

@Catch()
class NestsFilter extends BaseExceptionFilter {}

@Deadline(LIMIT)
class HungRoutes {
  @Get('promise')
  promise() {
    return untilCancelled();
  }

  @Get('deaf')
  deaf() {
    return delay(2 * LIMIT);
  }

  @Get('observable')
  observable() {
    return NEVER;
  }

  @Get('response')
  response(@Res() _response: unknown) {
    return delay(2 * LIMIT);
  }

  @Get('blocked')
  blocked() {
    block(LIMIT + 10);
    return 'too late';
  }
}

const ROUTES = ['promise', 'deaf', 'observable', 'response'];

@Controller('bare')
class BareController extends HungRoutes {}

@UseFilters(AsyncFilter)
@Controller('async')
class AsyncController extends HungRoutes {}

@UseFilters(HangingFilter)
@Controller('hanging')
class HangingController extends HungRoutes {}

@UseFilters(SilentFilter)
@Controller('silent')
class SilentController extends HungRoutes {}

@UseFilters(NestsFilter)
@Controller('nests')
class NestsController extends HungRoutes {}

@Controller('named')
@Deadline({ policy: 'report', status: 503 })
class NamedController {
  @Get('status')
  status() {
    return untilCancelled();
  }

  @Deadline({ detail: 'Too much asked' })
  @Get('detail')
  detail() {
    return untilCancelled();
  }
}

const CONTROLLERS = [
  BareController,
  AsyncController,
  HangingController,
  SilentController,
  NestsController,
  NamedController,
];

function expectReplaced(answer: Answer, by: string, limitMs = LIMIT) {
  expectOnTime(answer, limitMs);
  expect(answer.status).toBe(418);
  expect(JSON.parse(answer.body)).toEqual({
    by,
    cancelled: 'deadline',
    deadline: true,
    status: 504,
  });
}

describe.each(STACKS)('exception filters on $adapter, $enforcement', (stack) => {
  async function start(settings: TestAppSettings = {}): Promise<TestApp> {
    const policies = { report: { handler: LIMIT, status: 500, title: 'Report too slow' } };
    const test = await startApp(stack, {
      controllers: CONTROLLERS,
      options: { backstop: BACKSTOP, policies },
      ...settings,
    });
    adapter = test.app.get(HttpAdapterHost).httpAdapter;
    return test;
  }

  const callAll = ({ url }: TestApp, controller: string, routes = ROUTES) =>
    Promise.all(routes.map((route) => call(`${url}/${controller}/${route}`)));

  describe('of controllers', () => {
    let test: TestApp;

    beforeAll(async () => void (test = await start()));
    afterAll(closeApps);

    it('H02 a policy sets status, title and detail', async () => {
      const [status, detail] = await callAll(test, 'named', ['status', 'detail']);

      expect(expectProblem(status!, LIMIT, 503)).toMatchObject({
        status: 503,
        title: 'Report too slow',
        detail: 'Handler did not complete within 150ms',
      });
      expect(expectProblem(detail!, LIMIT, 503)).toMatchObject({
        title: 'Report too slow',
        detail: 'Too much asked',
      });
    });

    it('H02 a filter of the user replaces the answer, also after 30 ms', async () => {
      const [slow, nests] = await Promise.all([callAll(test, 'async'), callAll(test, 'nests')]);

      for (const answer of slow) expectReplaced(answer, 'AsyncFilter', LIMIT + 30);
      for (const answer of nests) {
        expectOnTime(answer, LIMIT);
        expect(answer.status).toBe(504);
        expect(JSON.parse(answer.body)).toEqual({
          statusCode: 504,
          error: 'Gateway Timeout',
          message: 'Handler did not complete within 150ms',
          code: 'handler_timeout',
        });
      }
    });

    it('H02 answers in the place of a filter that does not', async () => {
      const answers = await Promise.all([callAll(test, 'hanging'), callAll(test, 'silent')]);

      for (const answer of answers.flat()) expectProblem(answer, LIMIT + BACKSTOP);
    });

    it('H02 a filter replaces the answer to a handler that blocked the loop', async () => {
      const [answer] = await callAll(test, 'nests', ['blocked']);

      expect(JSON.parse(answer!.body)).toMatchObject({ statusCode: 504, code: 'handler_timeout' });
    });
  });

  it.each<[string, string, TestAppSettings]>([
    ['APP_FILTER', 'HttpFilter', { providers: [{ provide: APP_FILTER, useClass: HttpFilter }] }],
    [
      'a catch-all APP_FILTER',
      'CatchAllFilter',
      { providers: [{ provide: APP_FILTER, useClass: CatchAllFilter }] },
    ],
    [
      'useGlobalFilters',
      'CatchAllFilter',
      { prepare: (app) => void app.useGlobalFilters(new CatchAllFilter()) },
    ],
  ])('H02 %s replaces the answer', async (_, by, settings) => {
    const test = await start(settings);

    for (const answer of await callAll(test, 'bare')) expectReplaced(answer, by);

    await closeApps();
  });
});
