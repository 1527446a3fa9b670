import type {
  DynamicModule,
  ForwardReference,
  INestApplication,
  Provider,
  Type,
} from '@nestjs/common';
import { Module } from '@nestjs/common';
import type { NestApplicationOptions } from '@nestjs/common';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { LateWork, Outcome, TimeoutsModuleOptions } from 'nestjs-timeouts';
import { DrainService, TimeoutsModule, TimeoutsMonitor } from 'nestjs-timeouts';

/** Both adapters, and both ways of enforcement: what is promised holds over all of them. */
export const STACKS = [
  { adapter: 'express', enforcement: 'auto' },
  { adapter: 'express', enforcement: 'interceptor' },
  { adapter: 'fastify', enforcement: 'auto' },
  { adapter: 'fastify', enforcement: 'interceptor' },
] as const;

export type Stack = (typeof STACKS)[number];

/** For what happens before or after handlers, where the way of enforcement makes no difference. */
export const ADAPTER_STACKS = STACKS.filter(({ enforcement }) => enforcement === 'auto');

export interface TestApp {
  readonly app: INestApplication;
  readonly url: string;
  readonly port: number;
  readonly outcomes: Outcome[];
  /** Work that stopped after its cancel. */
  readonly late: LateWork[];
  readonly monitor: TimeoutsMonitor;
  readonly drain: DrainService;
}

export interface TestAppSettings {
  readonly controllers?: Type[];
  readonly providers?: Provider[];
  readonly imports?: (Type | DynamicModule | ForwardReference)[];
  readonly options?: TimeoutsModuleOptions;
  /** In the place of `TimeoutsModule.forRoot(options)`; outcomes are not collected then. */
  readonly timeouts?: DynamicModule;
  readonly nest?: NestApplicationOptions;
  /** In the place of the stack's own, for instance one that speaks HTTP/2. */
  readonly adapter?: AbstractHttpAdapter;
  /** Whether Nest's shutdown hooks are enabled, as they are in most applications. Default true. */
  readonly hooks?: boolean;
  /** Before the application listens: global guards, middleware, prefix. */
  readonly prepare?: (app: INestApplication) => void | Promise<void>;
}

const running = new Set<INestApplication>();

/** Starts an application under `TimeoutsModule` on a free port. */
export async function startApp(stack: Stack, settings: TestAppSettings = {}): Promise<TestApp> {
  const outcomes: Outcome[] = [];
  const late: LateWork[] = [];
  const listener = {
    onOutcome: (outcome: Outcome) => outcomes.push(outcome),
    onLate: (work: LateWork) => late.push(work),
  };
  class TestModule {}
  Module({
    imports: [
      settings.timeouts ??
        TimeoutsModule.forRoot({
          shutdown: { grace: 100 },
          ...settings.options,
          enforcement: stack.enforcement,
          listeners: [listener, ...(settings.options?.listeners ?? [])],
        }),
      ...(settings.imports ?? []),
    ],
    controllers: settings.controllers ?? [],
    providers: settings.providers ?? [],
  })(TestModule);
  const ofStack = () => (stack.adapter === 'express' ? new ExpressAdapter() : new FastifyAdapter());
  const adapter = settings.adapter ?? ofStack();
  const app = await NestFactory.create(TestModule, adapter, {
    logger: false,
    abortOnError: false,
    ...settings.nest,
  });
  running.add(app);
  if (settings.hooks !== false) app.enableShutdownHooks(['SIGTERM']);
  await settings.prepare?.(app);
  await app.listen(0, '127.0.0.1');
  const url = await app.getUrl();
  const port = Number(new URL(url).port);
  return {
    app,
    url,
    port,
    outcomes,
    late,
    monitor: app.get(TimeoutsMonitor),
    drain: app.get(DrainService),
  };
}

/** Closes what `startApp` started; for `afterEach`. */
export async function closeApps(): Promise<void> {
  const apps = [...running];
  running.clear();
  await Promise.all(apps.map((app) => app.close()));
}
