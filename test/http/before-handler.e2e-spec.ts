import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type {
  CallHandler,
  CanActivate,
  ExecutionContext,
  INestApplication,
  MiddlewareConsumer,
  NestInterceptor,
  NestModule,
  PipeTransform,
} from '@nestjs/common';
import { Controller, Get, Inject, Injectable, Module, Query, Res, Scope } from '@nestjs/common';
import { UseGuards, UseInterceptors } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import type { FastifyInstance } from 'fastify';
import { setTimeout as delay } from 'node:timers/promises';
import { mergeMap } from 'rxjs';
import type { TestApp } from '../support/app.js';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { call, expectProblem } from '../support/http-client.js';
import { Notes } from '../support/notes.js';

const LIMIT = 150;
const SLOW = LIMIT + 60;

let notes = new Notes();

/** Takes longer than the request may, and says when it is done. */
async function slowly<T>(what: string, value: T): Promise<T> {
  await delay(SLOW);
  setImmediate(() => notes.add(`${what} done`));
  return value;
}

@Injectable()
class SlowGuard implements CanActivate {
  canActivate() {
    return slowly('guard', true);
  }
}

/** For every route, where the URL asks for it. */
@Injectable()
class SlowGlobalGuard implements CanActivate {
  canActivate(context: ExecutionContext) {
    const { url } = context.switchToHttp().getRequest<Request>();
    return url.includes('global-guard') ? slowly('global-guard', true) : true;
  }
}

@Injectable()
class SlowPipe implements PipeTransform {
  transform(value: unknown) {
    return slowly('pipe', value);
  }
}

@Injectable()
class SlowBefore implements NestInterceptor {
  async intercept(_: ExecutionContext, next: CallHandler) {
    await slowly('before', undefined);
    return next.handle();
  }
}

@Injectable()
class SlowAfter implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler) {
    return next.handle().pipe(mergeMap((value) => slowly('after', value)));
  }
}

@Controller()
class SlowController {
  @Get([
    'global-guard',
    'middleware',
    'nest-middleware',
    'on-request',
    'pre-handler',
    'pre-parsing',
  ])
  plain() {
    notes.add('handler');
    return 'too late';
  }

  @UseGuards(SlowGuard)
  @Get('guard')
  guard() {
    return this.plain();
  }

  @Get('pipe')
  pipe(@Query('q', SlowPipe) _q: string) {
    return this.plain();
  }

  @UseGuards(SlowGuard)
  @Get('guarded-response')
  guardedResponse(@Res() _response: unknown) {
    notes.add('handler');
  }

  @UseInterceptors(SlowBefore)
  @Get('before')
  before() {
    return this.plain();
  }

  @UseInterceptors(SlowAfter)
  @Get('after')
  after() {}

  @Get('on-send')
  onSend() {}

  @Get('response')
  response(@Res() _response: unknown) {}

  @Get('response/async')
  responseAsync(@Res() _response: unknown) {
    return delay(SLOW);
  }
}

/** Nest makes one for each request, once `SLOW_VALUE` is there. */
@Controller({ path: 'provider', scope: Scope.REQUEST })
class RequestController {
  constructor(@Inject('SLOW_VALUE') readonly value: string) {}

  @Get()
  get() {
    notes.add('handler');
    return this.value;
  }
}

const slowValue = {
  provide: 'SLOW_VALUE',
  scope: Scope.REQUEST,
  useFactory: () => slowly('provider', 'value'),
};

function goOn(what: string, next: NextFunction): void {
  setTimeout(() => {
    next();
    notes.add(`${what} done`);
  }, SLOW);
}

@Module({})
class SlowMiddlewareModule implements NestModule {
  configure(consumer: MiddlewareConsumer): void {
    consumer
      .apply((_req: Request, _res: Response, next: NextFunction) => {
        goOn('nest-middleware', next);
      })
      .forRoutes('nest-middleware');
  }
}

function prepare(app: INestApplication): void {
  app.useGlobalGuards(new SlowGlobalGuard());
  app.use((req: Request, _res: Response, next: NextFunction) => {
    if (req.url === '/middleware') goOn('middleware', next);
    else if (req.url !== '/swallowed') next();
  });
  const adapter = app.getHttpAdapter();
  if (adapter.getType() !== 'fastify') return;
  const fastify = adapter.getInstance() as FastifyInstance;
  const slowOn = (url: string) => async (request: { url: string }) => {
    if (request.url === url) await slowly(url.slice(1), undefined);
  };
  fastify.addHook('onRequest', slowOn('/on-request'));
  fastify.addHook('preParsing', slowOn('/pre-parsing'));
  fastify.addHook('preHandler', slowOn('/pre-handler'));
  fastify.addHook('onSend', slowOn('/on-send'));
}

describe.each(STACKS)('what is around a handler on $adapter, $enforcement', (stack) => {
  let test: TestApp;

  beforeAll(async () => {
    test = await startApp(stack, {
      controllers: [SlowController, RequestController],
      imports: [SlowMiddlewareModule],
      providers: [slowValue],
      options: { handler: LIMIT },
      prepare,
    });
  });

  beforeEach(() => {
    notes = new Notes();
  });

  afterAll(closeApps);

  const callAll = (paths: string[]) =>
    Promise.all(paths.map((path) => call(`${test.url}/${path}`)));

  it('H10 answers 504 while something hangs before the handler, which then never starts', async () => {
    const places = ['global-guard', 'guard', 'pipe', 'before', 'provider'];
    places.push('middleware', 'nest-middleware');
    if (stack.adapter === 'fastify') places.push('on-request', 'pre-parsing', 'pre-handler');

    const answers = await callAll([...places, 'guarded-response']);

    for (const answer of answers) {
      expect(expectProblem(answer, LIMIT)).toMatchObject({ code: 'handler_timeout' });
    }
    for (const place of places) await notes.seen(`${place} done`);
    await notes.seen('guard done', 2);
    await delay(40);
    expect(notes.count('handler')).toBe(0);
  });

  it('H10 answers 504 while something hangs after the handler', async () => {
    const places = stack.adapter === 'fastify' ? ['after', 'on-send'] : ['after'];

    for (const answer of await callAll(places)) expectProblem(answer, LIMIT);

    for (const place of places) await notes.seen(`${place} done`);
  });

  it('H10 answers 504 for handlers that write the response, and for middleware that does not', async () => {
    const answers = await callAll(['response', 'response/async', 'swallowed']);

    for (const answer of answers) expectProblem(answer, LIMIT);
  });
});
