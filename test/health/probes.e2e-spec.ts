import { once } from 'node:events';
import type { Server } from 'node:http';
import { Agent } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import type {
  ArgumentsHost,
  CallHandler,
  CanActivate,
  ExceptionFilter,
  INestApplication,
  NestInterceptor,
  OnModuleInit,
  PipeTransform,
} from '@nestjs/common';
import { Catch, Controller, Get, Injectable, VersioningType } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core';
import { TerminusModule } from '@nestjs/terminus';
import { SkipTimeout } from 'nestjs-timeouts';
import { TimeoutsHealthModule } from 'nestjs-timeouts/terminus';
import { closeApps, STACKS, startApp } from '../support/app.js';
import type { TestAppSettings } from '../support/app.js';
import { runTypescript } from '../support/child-process.js';
import { eventually } from '../support/eventually.js';
import { call } from '../support/http-client.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { untilCancelled } from '../support/work.js';
import { probe, up, well } from './fixtures/probe.js';

const PATHS = ['/_ops/live', '/_ops/ready', '/_ops/startup'];
const RUNNING = { drain: { ...up, state: 'running' } };

afterEach(closeApps);

/** Whatever an application puts around all its routes, and what it has heard of. */
const heard: string[] = [];

@Injectable()
class Refusing implements CanActivate {
  canActivate(): boolean {
    heard.push('guard');
    return false;
  }
}

@Injectable()
class Noting implements NestInterceptor, PipeTransform {
  intercept(_: unknown, next: CallHandler) {
    heard.push('interceptor');
    return next.handle();
  }

  transform(): never {
    heard.push('pipe');
    throw new Error('nothing is valid');
  }
}

@Catch()
class CatchAll implements ExceptionFilter {
  catch(_: unknown, host: ArgumentsHost) {
    heard.push('filter');
    const response = host.switchToHttp().getResponse();
    response.status(418).send({});
  }
}

@Controller()
class WorkController {
  @Get('work')
  @SkipTimeout()
  work() {
    return untilCancelled();
  }
}

@Injectable()
class SlowToStart implements OnModuleInit {
  hasBegun = false;
  finish = () => {};

  onModuleInit() {
    this.hasBegun = true;
    return new Promise<void>((resolve) => (this.finish = resolve));
  }
}

const isolated: TestAppSettings['providers'] = [
  { provide: APP_GUARD, useClass: Refusing },
  { provide: APP_INTERCEPTOR, useClass: Noting },
  { provide: APP_PIPE, useClass: Noting },
  { provide: APP_FILTER, useClass: CatchAll },
];

function surround(app: INestApplication): void {
  app.setGlobalPrefix('api');
  app.enableVersioning({ type: VersioningType.URI, defaultVersion: '1' });
  app.useGlobalGuards(new Refusing());
  app.useGlobalInterceptors(new Noting());
  app.useGlobalPipes(new Noting());
  app.useGlobalFilters(new CatchAll());
  app.use((_req: unknown, res: { end(): void; statusCode: number }) => {
    heard.push('middleware');
    res.statusCode = 418;
    res.end();
  });
}

describe.each(STACKS)('probes on $adapter, $enforcement', (stack) => {
  it('K01 says that all is well, in the words of Terminus', async () => {
    const { url } = await startApp(stack, { imports: [TimeoutsHealthModule.forRoot()] });

    const answers = await Promise.all(PATHS.map((path) => probe(url, path)));

    const answer = (body: object) => ({
      status: 200,
      cache: 'no-store',
      connection: 'close',
      type: 'application/json; charset=utf-8',
      body,
    });
    expect(answers).toEqual([
      answer(well()),
      answer(well(RUNNING)),
      answer(well({ application: up })),
    ]);
  });

  it('K01 is not ready from the first moment of a drain, and alive', async () => {
    const { url, drain } = await startApp(stack, {
      controllers: [WorkController],
      imports: [TimeoutsHealthModule.forRoot()],
      options: { shutdown: { grace: '1s' } },
    });
    const work = call(`${url}/work`);
    await eventually(() => drain.inFlight === 1);
    const agent = new Agent({ keepAlive: true });
    const before = await probe(url, '/_ops/ready', { agent });

    const drained = drain.drain();
    const [live, ready, startup] = await Promise.all(
      PATHS.map((path) => probe(url, path, { agent })),
    );

    expect([before.status, before.connection]).toEqual([200, 'keep-alive']);
    const state = { status: 'down', state: 'draining' };
    expect(ready).toMatchObject({
      status: 503,
      cache: 'no-store',
      connection: 'close',
      body: { status: 'error', info: {}, error: { drain: state }, details: { drain: state } },
    });
    expect([live!.status, startup!.status, live!.connection]).toEqual([200, 200, 'close']);
    await drained;
    expect((await work).status).toBe(503);
    agent.destroy();
  });

  it('K01 has started once the application has', async () => {
    const answers: unknown[] = [];
    await startApp(stack, {
      imports: [TimeoutsHealthModule.forRoot()],
      providers: [SlowToStart],
      prepare: async (app) => {
        const slow = app.get(SlowToStart);
        const initialized = app.init();
        await eventually(() => slow.hasBegun);
        // Nest itself listens last; a test or a gateway may do so earlier.
        const server = app.getHttpServer() as Server;
        await once(server.listen(0, '127.0.0.1'), 'listening');
        const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
        answers.push(await probe(url, '/_ops/startup'), await probe(url, '/_ops/live'));
        slow.finish();
        await initialized;
        answers.push(await probe(url, '/_ops/startup'));
        await once(server.close(), 'close');
      },
    });

    const application = { status: 'down' };
    expect(answers).toMatchObject([
      { status: 503, body: { status: 'error', error: { application }, details: { application } } },
      { status: 200, body: well() },
      { status: 200, body: well({ application: up }) },
    ]);
  });

  it.each([
    ['that the root module provides', { providers: isolated }],
    ['that main.ts adds, with prefix, versions and middleware', { prepare: surround }],
  ])('K03 hears nothing of global guards, pipes, interceptors and filters %s', async (_, how) => {
    const { url } = await startApp(stack, {
      ...how,
      controllers: [WorkController],
      imports: [TimeoutsHealthModule.forRoot()],
    });
    heard.length = 0;

    const answers = await Promise.all(PATHS.map((path) => probe(url, path)));

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(heard).toEqual([]);
    expect((await call(`${url}/work`)).status).toBe(418);
  });

  it('K03 opens no scope, whatever is limited and shed', async () => {
    const { url, port, outcomes, drain, monitor } = await startApp(stack, {
      controllers: [WorkController],
      imports: [
        TimeoutsHealthModule.forRoot({
          checks: { slow: { check: ({ signal }) => hold(signal), timeout: '200ms' } },
        }),
      ],
      options: { handler: 50, shedding: { inFlight: 1, maxShare: 1 } },
    });
    const client = await RawConnection.open(port);
    client.send(rawRequest('GET', '/work'));
    await eventually(() => drain.inFlight === 1);
    const asked = probe(url, '/_ops/ready');
    await checkBegan();
    const duringCheck = drain.inFlight;

    const answers = [await asked, await probe(url, '/_ops/live'), await probe(url, '/_ops/ready')];

    expect(answers.map(({ status }) => status)).toEqual([503, 200, 503]);
    expect(duringCheck).toBe(1);
    client.leave();
    await eventually(() => drain.inFlight === 0);
    expect(outcomes.map(({ name }) => name)).toEqual(['GET /work']);
    expect(monitor.snapshot().counters).toHaveLength(1);
  });

  it('answers HEAD without a body, and leaves other methods and paths to the application', async () => {
    const { url, port } = await startApp(stack, { imports: [TimeoutsHealthModule.forRoot()] });

    const head = await call(`${url}/_ops/ready?from=balancer`, { method: 'HEAD' });
    const others = await Promise.all([
      call(`${url}/_ops/ready`, { method: 'POST' }),
      call(`${url}/_ops/readyx`),
      call(`${url}/_ops`),
    ]);

    expect([head.status, head.body, head.headers['cache-control']]).toEqual([200, '', 'no-store']);
    expect(others.map(({ status }) => status)).toEqual([404, 404, 404]);
    const client = await RawConnection.open(port);
    client.send(rawRequest('HEAD', '/_ops/live') + rawRequest('GET', '/_ops/live'));
    await client.receives('"details":{}}');
    expect(client.received.split('HTTP/1.1 200 OK')).toHaveLength(3);
    client.leave();
  });

  it('answers on paths of the user, beside a Terminus of the user', async () => {
    const { url } = await startApp(stack, {
      imports: [
        TerminusModule.forRoot({ errorLogStyle: 'pretty', gracefulShutdownTimeoutMs: 10 }),
        TimeoutsHealthModule.forRootAsync({
          useFactory: () => ({ paths: { live: '/healthz', ready: '/readyz' } }),
        }),
      ],
    });

    const paths = ['/healthz', '/readyz', '/_ops/startup', '/_ops/live'];
    const answers = await Promise.all(paths.map((path) => call(`${url}${path}`)));

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 404]);
  });

  it('refuses two probes for one path', async () => {
    const starting = startApp(stack, {
      imports: [
        TimeoutsHealthModule.forRoot(),
        TimeoutsHealthModule.forRoot({ paths: { live: '/other' } }),
      ],
    });

    await expect(starting).rejects.toThrow(
      'TimeoutsHealthModule is imported twice with a probe at /_ops/ready',
    );
  });

  it('K03 logs a failing check when it begins and when it ends, not with each probe', async () => {
    const logger = new RecordingLogger();
    let isWell = false;
    const { url } = await startApp(stack, {
      nest: { logger },
      imports: [TimeoutsHealthModule.forRoot({ checks: { queue: () => isWell }, cacheFor: 0 })],
    });
    for (let times = 0; times < 3; times++) await probe(url, '/_ops/ready');
    isWell = true;
    for (let times = 0; times < 3; times++) await probe(url, '/_ops/ready');

    const told = logger.entries.filter(({ text }) => /ready/i.test(text));
    expect(told.map(({ level, text }) => `${level} ${text}`)).toEqual([
      'warn Not ready: queue Timeouts',
      'log Ready again: queue Timeouts',
    ]);
  });
});

let checkHasBegun: (() => void) | undefined;

function checkBegan(): Promise<void> {
  return new Promise((resolve) => (checkHasBegun = resolve));
}

function hold(signal: AbortSignal): Promise<never> {
  checkHasBegun?.();
  return new Promise((_, reject) =>
    signal.addEventListener('abort', () => reject(signal.reason as Error)),
  );
}

describe('probes on Fastify', () => {
  it('K01 answers what is injected past the server', async () => {
    const { code, stdout, stderr } = await runTypescript('test/health/fixtures/inject.ts');

    expect([code, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toEqual({ statusCode: 200, body: well(RUNNING) });
  });
});
