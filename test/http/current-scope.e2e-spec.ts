import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type {
  ArgumentsHost,
  CallHandler,
  CanActivate,
  ExceptionFilter,
  ExecutionContext,
  INestApplication,
  NestInterceptor,
  PipeTransform,
} from '@nestjs/common';
import {
  Catch,
  Controller,
  Get,
  HttpException,
  Inject,
  Injectable,
  Query,
  Scope as Lifetime,
  Sse,
  UseFilters,
  UseGuards,
  UseInterceptors,
} from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { NextFunction, Request, Response } from 'express';
import { EventEmitter } from 'node:events';
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import type { Scope } from 'nestjs-timeouts';
import { CancelSignal, currentScope, CurrentScope, Deadline } from 'nestjs-timeouts';
import { from, map, mergeMap, tap, timer } from 'rxjs';
import type { TestApp } from '../support/app.js';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { call } from '../support/http-client.js';
import { Notes } from '../support/notes.js';

let notes = new Notes();

/** Everywhere, the scope is the one of the request, which its URL tells apart from the others. */
const seen = (where: string) => notes.add(`${where}: ${currentScope().name}`);

const bus = new EventEmitter();

@Injectable()
class Service {
  async work() {
    seen('service');
    await turn();
    seen('service, later');
  }
}

@Injectable({ scope: Lifetime.REQUEST })
class RequestService {
  constructor() {
    seen('request-scoped constructor');
  }

  work() {
    seen('request-scoped service');
  }
}

@Injectable()
class Guard implements CanActivate {
  async canActivate() {
    seen('guard');
    await turn();
    return true;
  }
}

@Injectable()
class Pipe implements PipeTransform {
  transform(value: unknown) {
    seen('pipe');
    return value;
  }
}

@Injectable()
class Interceptor implements NestInterceptor {
  intercept(_: ExecutionContext, next: CallHandler) {
    seen('interceptor');
    return next.handle().pipe(tap({ complete: () => seen('interceptor, after') }));
  }
}

@Catch()
class Filter implements ExceptionFilter {
  constructor(private readonly host: HttpAdapterHost) {}

  async catch(error: unknown, host: ArgumentsHost) {
    seen('filter');
    await turn();
    seen('filter, later');
    const status = error instanceof HttpException ? error.getStatus() : 500;
    this.host.httpAdapter.reply(host.switchToHttp().getResponse(), {}, status);
  }
}

async function* generate(where: string): AsyncGenerator<string> {
  seen(where);
  yield 'a';
  await delay(5);
  seen(`${where}, later`);
  yield 'b';
}

@UseGuards(Guard)
@UseInterceptors(Interceptor)
@UseFilters(Filter)
@Deadline('5s')
@Controller('scope')
class ScopeController {
  constructor(
    private readonly service: Service,
    @Inject(RequestService) private readonly requestService: RequestService,
  ) {}

  @Get('async')
  async async(
    @Query('q', Pipe) _q: string,
    @CurrentScope() scope: Scope,
    @CancelSignal() signal: AbortSignal,
  ) {
    seen('handler');
    await this.service.work();
    this.requestService.work();
    await new Promise((resolve) => setTimeout(resolve, 5));
    seen('after setTimeout');
    bus.once('told', () => seen('emitter'));
    bus.emit('told');
    return { same: scope === currentScope(), signal: signal === scope.signal };
  }

  @Get('generator')
  generator() {
    return generate('generator');
  }

  @Get('observable')
  observable() {
    return timer(5).pipe(
      tap(() => seen('observable')),
      mergeMap(() => from(this.service.work())),
      map(() => 'done'),
    );
  }

  @Sse('events')
  events() {
    return timer(5).pipe(map(() => (seen('events'), { data: 'x' })));
  }

  @Get('failing')
  failing() {
    throw new HttpException('no', 418);
  }
}

function prepare(app: INestApplication): void {
  app.use((_req: Request, _res: Response, next: NextFunction) => {
    seen('middleware');
    next();
  });
}

describe.each(STACKS)('the current scope on $adapter, $enforcement', (stack) => {
  let test: TestApp;

  beforeAll(async () => {
    test = await startApp(stack, {
      controllers: [ScopeController],
      providers: [Service, RequestService],
      prepare,
    });
  });

  afterAll(closeApps);

  /** Calls the route, and expects its scope, and no other, in all of these places. */
  async function expectScopeIn(route: string, ...places: string[]) {
    notes = new Notes();
    const answer = await call(`${test.url}/scope/${route}`);
    const early = ['middleware: (no route)'];
    const own = ['request-scoped constructor', 'guard', 'interceptor', ...places];
    expect(notes.all.toSorted()).toEqual(
      [...early, ...own.map((place) => `${place}: GET /scope/${route}`)].toSorted(),
    );
    return answer;
  }

  it('S13 is there in guards, pipes, interceptors, services and after timers', async () => {
    const places = ['pipe', 'handler', 'service', 'service, later', 'request-scoped service'];

    const answer = await expectScopeIn(
      'async',
      ...places,
      'after setTimeout',
      'emitter',
      'interceptor, after',
    );

    expect(JSON.parse(answer.body)).toEqual({ same: true, signal: true });
  });

  it('S13 is there in generators, Observables, events and filters', async () => {
    const after = 'interceptor, after';

    const generator = await expectScopeIn('generator', 'generator', 'generator, later', after);
    await expectScopeIn('observable', 'observable', 'service', 'service, later', after);
    const events = await expectScopeIn('events', 'events', after);
    const failing = await expectScopeIn('failing', 'filter', 'filter, later');

    expect(generator.body).toBe('ab');
    expect(events.body).toContain('data: x');
    expect(failing.status).toBe(418);
  });

  it('S13 requests at the same time do not see each other', async () => {
    notes = new Notes();

    const answers = await Promise.all(
      Array.from({ length: 50 }, () => call(`${test.url}/scope/async`)),
    );

    for (const { body } of answers) expect(JSON.parse(body)).toEqual({ same: true, signal: true });
    expect(notes.count('after setTimeout: GET /scope/async')).toBe(50);
  });
});
