import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ExecutionContext } from '@nestjs/common';
import { Controller, Get, Injectable, Scope as InjectionScope, SetMetadata } from '@nestjs/common';
import { VersioningType, Version } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DeadlineSpec, TimeoutsModuleOptions } from 'nestjs-timeouts';
import { currentScope, Deadline, SkipTimeout } from 'nestjs-timeouts';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { call, expectProblem } from '../support/http-client.js';
import { RecordingLogger } from '../support/recording-logger.js';

/** The limit of the running request in milliseconds; JSON has no Infinity. */
function limit(): { timeoutMs: number | null } {
  const { timeoutMs } = currentScope();
  return { timeoutMs: timeoutMs === Infinity ? null : Math.round(timeoutMs) };
}

@Controller('bare')
class BareController {
  @Get()
  bare() {
    return limit();
  }

  @Deadline({ policy: 'report' })
  @Get('named')
  named() {
    return limit();
  }

  @Deadline({ policy: 'report', handler: '70s' })
  @Get('named-and-own')
  namedAndOwn() {
    return limit();
  }
}

@Deadline({ handler: '5s', status: 503, detail: 'Try later' })
@Controller('limited')
class LimitedController {
  @Get()
  inherited() {
    return limit();
  }

  @Deadline('7s')
  @Get('own')
  own() {
    return limit();
  }

  @SkipTimeout()
  @Get('skipped')
  skipped() {
    return limit();
  }

  @SkipTimeout()
  @Deadline('7s')
  @Get('both')
  both() {
    return limit();
  }

  @Deadline('100ms')
  @Get('expiring')
  expiring() {
    return sleep(250);
  }
}

@SkipTimeout()
@Controller('lifted')
class LiftedController {
  @Get()
  inherited() {
    return limit();
  }

  @Deadline('7s')
  @Get('own')
  own() {
    return limit();
  }
}

const seen: Record<string, unknown>[] = [];

const bySize: DeadlineSpec = (context: ExecutionContext) => {
  const request = context.switchToHttp().getRequest();
  seen.push({
    kind: context.getType(),
    controller: context.getClass().name,
    handler: context.getHandler().name,
    label: Reflect.getMetadata('label', context.getHandler()),
    params: { ...request.params },
    query: { ...request.query },
    header: request.headers['x-size'],
  });
  if (request.headers['x-size'] === 'wrong') return { policy: 'nowhere' };
  if (request.headers['x-size'] === 'named') return { policy: 'report' };
  return request.headers['x-size'] === 'large' ? '60s' : { handler: '2s' };
};

@Injectable({ scope: InjectionScope.REQUEST })
class PerRequest {}

@Controller('orders/:customer')
class SizedController {
  @SetMetadata('label', 'report')
  @Deadline(bySize)
  @Version('1')
  @Get(':id')
  order() {
    return limit();
  }
}

@Deadline(bySize)
@Controller('scoped')
class PerRequestController {
  constructor(readonly _perRequest: PerRequest) {}

  @Version('1')
  @Get(':id')
  order() {
    return limit();
  }
}

const OPTIONS: TimeoutsModuleOptions = {
  handler: '3s',
  policies: { report: { handler: '50s', status: 503 } },
};

describe.each(STACKS)('markers over HTTP, on $adapter with $enforcement', (stack) => {
  const limitOf = async (url: string, headers: Record<string, string> = {}) =>
    JSON.parse((await call(url, { headers })).body).timeoutMs;

  beforeEach(() => {
    seen.length = 0;
  });
  afterEach(closeApps);

  it('P03 method beats class beats module default, field by field', async () => {
    const controllers = [BareController, LimitedController];
    const { url } = await startApp(stack, { controllers, options: OPTIONS });
    expect(await limitOf(`${url}/bare`)).toBe(3_000);
    expect(await limitOf(`${url}/limited`)).toBe(5_000);
    expect(await limitOf(`${url}/limited/own`)).toBe(7_000);
    const problem = expectProblem(await call(`${url}/limited/expiring`), 100, 503);
    expect(problem).toMatchObject({ detail: 'Try later', timeoutMs: 100 });
  });

  it('P04 a timeout on a method beats a class-level skip, a skip on a method any timeout', async () => {
    const controllers = [LimitedController, LiftedController];
    const { url } = await startApp(stack, { controllers, options: OPTIONS });
    expect(await limitOf(`${url}/lifted`)).toBe(null);
    expect(await limitOf(`${url}/lifted/own`)).toBe(7_000);
    expect(await limitOf(`${url}/limited/skipped`)).toBe(null);
    expect(await limitOf(`${url}/limited/both`)).toBe(null);
  });

  it('P05 a named policy resolves, below the fields beside it', async () => {
    const { url } = await startApp(stack, { controllers: [BareController], options: OPTIONS });
    expect(await limitOf(`${url}/bare/named`)).toBe(50_000);
    expect(await limitOf(`${url}/bare/named-and-own`)).toBe(70_000);
  });

  it('P13 a function sees parameters, query, headers, class and handler of the request', async () => {
    const { url } = await startApp(stack, {
      controllers: [SizedController],
      options: OPTIONS,
      prepare: (app) => {
        app.setGlobalPrefix('api');
        app.enableVersioning({ type: VersioningType.URI });
      },
    });
    const order = `${url}/api/v1/orders/7/42?full=1`;
    expect(await limitOf(order, { 'x-size': 'large' })).toBe(60_000);
    expect(await limitOf(order, { 'x-size': 'small' })).toBe(2_000);
    expect(await limitOf(order, { 'x-size': 'named' })).toBe(50_000);
    expect(seen).toHaveLength(3);
    expect(seen[0]).toEqual({
      kind: 'http',
      controller: 'SizedController',
      handler: 'order',
      label: 'report',
      params: { customer: '7', id: '42' },
      query: { full: '1' },
      header: 'large',
    });
  });

  it('P13 a function on a class works for controllers made per request', async () => {
    const { url } = await startApp(stack, {
      controllers: [PerRequestController],
      providers: [PerRequest],
      options: OPTIONS,
      prepare: (app) => void app.enableVersioning({ type: VersioningType.URI }),
    });
    expect(await limitOf(`${url}/v1/scoped/9`, { 'x-size': 'large' })).toBe(60_000);
    expect(seen[0]).toMatchObject({ controller: 'PerRequestController', params: { id: '9' } });
  });

  it('P13 what a function cannot mean is a 500 that names the route in the log', async () => {
    const logger = new RecordingLogger();
    const { url } = await startApp(stack, {
      controllers: [SizedController],
      options: OPTIONS,
      nest: { logger },
      prepare: (app) => void app.enableVersioning({ type: VersioningType.URI }),
    });
    const answer = await call(`${url}/v1/orders/7/42`, { headers: { 'x-size': 'wrong' } });
    expect(answer.status).toBe(500);
    const logged = logger.at('error').join('\n');
    expect(logged).toContain('policy on GET /orders/:customer/:id (SizedController.order)');
    expect(logged).toContain('is "nowhere"; allowed: report');
  });

  it('P14 a preset brings its limits, and an explicit option beats it', async () => {
    const preset = 'ai';
    const { policies } = OPTIONS;
    const controllers = [BareController];
    const { url } = await startApp(stack, { controllers, options: { policies, preset } });
    expect(await limitOf(`${url}/bare`)).toBe(120_000);
    const own = await startApp(stack, {
      controllers,
      options: { policies, preset, handler: '90s' },
    });
    expect(await limitOf(`${own.url}/bare`)).toBe(90_000);
  });
});
