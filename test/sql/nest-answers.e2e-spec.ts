import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ArgumentsHost, CanActivate, ExceptionFilter, PipeTransform } from '@nestjs/common';
import type { NestInterceptor } from '@nestjs/common';
import { Catch, Controller, Get, Injectable, InternalServerErrorException } from '@nestjs/common';
import { Query, UseFilters, UseGuards, UseInterceptors } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { TypeOrmModule } from '@nestjs/typeorm';
import type { DataSourceOptions } from 'typeorm';
import { DataSource, QueryFailedError } from 'typeorm';
import { CancelledError, Deadline, isCancelled, withDeadline } from 'nestjs-timeouts';
import { withDeadlines } from 'nestjs-timeouts/typeorm';
import { from, mergeMap } from 'rxjs';
import type { TestApp } from '../support/app.js';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { call, expectProblem } from '../support/http-client.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { usePostgres } from './fixtures/postgres.js';

const LIMIT = 150;
const SLEEP = 'SELECT pg_sleep(5)';

let adapter: AbstractHttpAdapter;

@Injectable()
class Slow {
  constructor(readonly database: DataSource) {}

  sleep(): Promise<unknown> {
    return this.database.transaction((manager) => manager.query(SLEEP));
  }
}

@Injectable()
class SlowGuard extends Slow implements CanActivate {
  async canActivate() {
    await this.sleep();
    return true;
  }
}

@Injectable()
class SlowPipe extends Slow implements PipeTransform {
  transform() {
    return this.sleep();
  }
}

@Injectable()
class SlowInterceptor extends Slow implements NestInterceptor {
  intercept(...[, next]: Parameters<NestInterceptor['intercept']>) {
    return from(this.sleep()).pipe(mergeMap(() => next.handle()));
  }
}

@Catch(QueryFailedError)
class QueryFilter implements ExceptionFilter {
  catch(error: QueryFailedError<Error & { code: string }>, host: ArgumentsHost) {
    adapter.reply(host.switchToHttp().getResponse(), { code: error.driverError.code }, 418);
  }
}

@Catch(CancelledError)
class CancelFilter implements ExceptionFilter {
  catch({ code, cause }: CancelledError, host: ArgumentsHost) {
    const query = cause instanceof QueryFailedError && cause.query;
    adapter.reply(host.switchToHttp().getResponse(), { code, query }, 418);
  }
}

@Controller()
@Deadline({ statement: LIMIT })
class SlowController extends Slow {
  @Get('handler')
  handler() {
    return this.sleep();
  }

  @Get('wrapped')
  async wrapped() {
    try {
      return await this.sleep();
    } catch (cause) {
      throw new Error('The orders could not be read', { cause });
    }
  }

  @UseGuards(SlowGuard)
  @Get('guard')
  guard() {}

  @Get('pipe')
  pipe(@Query('q', SlowPipe) _q: unknown) {}

  @UseInterceptors(SlowInterceptor)
  @Get('interceptor')
  interceptor() {}

  @UseFilters(QueryFilter, CancelFilter)
  @Get('filtered')
  filtered() {
    return this.sleep();
  }

  @Get('translated')
  async translated() {
    try {
      return await this.sleep();
    } catch (cause) {
      throw new InternalServerErrorException('Sorry', { cause });
    }
  }

  @Get('caught')
  async caught() {
    try {
      return await this.sleep();
    } catch (error) {
      return { cancelled: isCancelled(error), query: error instanceof QueryFailedError };
    }
  }

  @Deadline({ statement: '400ms' })
  @Get('longer')
  longer() {
    return this.sleep();
  }

  @Deadline({ handler: LIMIT, statement: '10s' })
  @Get('budget')
  budget() {
    return this.sleep();
  }

  @Get('block')
  block() {
    return withDeadline('80ms', () => this.sleep(), { name: 'lookup' });
  }
}

const PLACES = ['handler', 'wrapped', 'guard', 'pipe', 'interceptor'];

const postgres = usePostgres();

const KINDS = ['the subscriber', 'withDeadlines()'] as const;
const CASES = STACKS.flatMap((stack) => KINDS.map((kind) => [kind, stack] as const));

describe.each(CASES)('SQL limits by %s on %o', (limits, stack) => {
  const isWhole = limits === 'withDeadlines()';
  const logger = new RecordingLogger();
  let test: TestApp;

  const options = (): DataSourceOptions => {
    const plain: DataSourceOptions = { type: 'postgres', url: postgres.url, extra: { max: 5 } };
    return isWhole ? withDeadlines(plain) : plain;
  };

  beforeAll(async () => {
    test = await startApp(stack, {
      controllers: [SlowController],
      imports: [TypeOrmModule.forRoot(options())],
      providers: [Slow, SlowGuard, SlowPipe, SlowInterceptor],
      nest: { logger },
      options: { statement: LIMIT },
      prepare: (app) => {
        const next = async (_req: unknown, _res: unknown, done: (error: unknown) => void) => {
          try {
            await app.get(Slow).sleep();
          } catch (error) {
            done(error);
          }
        };
        app.use('/middleware', next);
      },
    });
    adapter = test.app.get(HttpAdapterHost).httpAdapter;
  });
  beforeEach(() => {
    test.outcomes.length = 0;
    logger.entries.length = 0;
  });
  afterAll(closeApps);

  const ended = async () => {
    await eventually(() => test.monitor.snapshot().inFlight.length === 0, 'the end');
    return test.outcomes.filter(({ kind }) => kind === 'request');
  };

  it.each(PLACES)('Q10 a statement timeout is a 504 of its layer: %s', async (place) => {
    const headers = { 'x-request-id': 'slow' };
    const answer = await call(`${test.url}/${place}`, { headers });

    const problem = expectProblem(answer, LIMIT);
    expect(problem).toEqual({
      type: 'about:blank',
      title: 'Gateway Timeout',
      status: 504,
      detail: 'Statement did not complete within 150ms',
      instance: `/${place}`,
      code: 'statement_timeout',
      layer: 'statement',
      timeoutMs: LIMIT,
      elapsedMs: expect.any(Number),
      requestId: 'slow',
    });
    expect(problem['elapsedMs']).toBeGreaterThanOrEqual(LIMIT);
    expect(await ended()).toMatchObject([
      { name: `GET /${place}`, result: 'deadline', layer: 'statement', status: 504, late: false },
    ]);
    expect(test.monitor.snapshot().counters).toContainEqual({
      layer: 'statement',
      reason: 'deadline',
      route: `GET /${place}`,
      count: 1,
    });
    expect(logger.at('error', 'fatal')).toEqual([]);
  });

  it('Q10 middleware that fails with one is answered like a route', async () => {
    const problem = expectProblem(await call(`${test.url}/middleware`), LIMIT);

    expect(problem).toMatchObject({ layer: 'statement', instance: '/middleware' });
    expect(await ended()).toMatchObject([{ result: 'deadline', layer: 'statement', status: 504 }]);
  });

  it('Q10 a filter of the application answers in its place, and it counts', async () => {
    const { status, body } = await call(`${test.url}/filtered`);

    const seen = isWhole ? { code: 'statement_timeout', query: SLEEP } : { code: '57014' };
    expect([status, JSON.parse(body)]).toEqual([418, seen]);
    expect(await ended()).toMatchObject([
      { result: 'deadline', layer: 'statement', timeoutMs: LIMIT, status: 418 },
    ]);
  });

  it('Q10 an HTTP exception that was made of it is what the application chose', async () => {
    const { status, body } = await call(`${test.url}/translated`);

    expect([status, JSON.parse(body)]).toMatchObject([500, { message: 'Sorry' }]);
    expect(await ended()).toMatchObject([{ result: 'failed', layer: 'handler', status: 500 }]);
  });

  it('Q10 a handler may catch it and go on', async () => {
    const { status, body } = await call(`${test.url}/caught`);

    expect([status, JSON.parse(body)]).toEqual([200, { cancelled: isWhole, query: !isWhole }]);
    expect(await ended()).toMatchObject([{ result: 'completed', status: 200 }]);
  });

  it('Q11 a statement timeout of the method beats that of the class', async () => {
    const answer = await call(`${test.url}/longer`);

    expect(expectProblem(answer, 400)).toMatchObject({ timeoutMs: 400, layer: 'statement' });
  });

  it('Q11 the budget of the request or of a block limits its statements too', async () => {
    // The time that a first connection takes would be another limit's.
    await test.app.get(DataSource).query('SELECT 1');
    const budget = expectProblem(await call(`${test.url}/budget`), LIMIT);
    const block = expectProblem(await call(`${test.url}/block`), 80);

    expect(budget).toMatchObject({
      layer: 'handler',
      detail: 'Handler did not complete within 150ms',
    });
    expect(block).toMatchObject({
      layer: 'handler',
      detail: 'lookup did not complete within 80ms',
    });
  });

  it('Q10 leaves connections that are whole', async () => {
    const database = test.app.get(DataSource);
    const read = () => test.monitor.snapshot().pools[0]!;

    await eventually(() => read().idle === read().total, 'idle connections');
    expect(read()).toMatchObject({ name: 'default', waiting: 0 });
    expect(await database.query('SHOW statement_timeout')).toEqual([{ statement_timeout: '0' }]);
  });
});
