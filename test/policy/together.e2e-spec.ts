import type { ScopeNode } from '../../libs/timeouts/src/core/scope-node.js';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Injectable, Module, Scope as InjectionScope } from '@nestjs/common';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Outcome } from 'nestjs-timeouts';
import { currentScope, DrainService, TimeoutsConfigurationError } from 'nestjs-timeouts';
import { TimeoutsModule, TimeoutsMonitor } from 'nestjs-timeouts';
import type { Stack } from '../support/app.js';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { CountingClock } from '../support/counting-clock.js';
import { eventually } from '../support/eventually.js';
import { call, expectOnTime } from '../support/http-client.js';
import { Notes } from '../support/notes.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';
import { RecordingLogger } from '../support/recording-logger.js';

let notes = new Notes();
const roots: (ScopeNode | undefined)[] = [];

@Controller()
class SharedController {
  @Get('limit')
  limit() {
    const scope = currentScope();
    roots.push((scope as ScopeNode).parent);
    return { timeoutMs: Math.round(scope.timeoutMs) };
  }

  @Get('slow')
  async slow() {
    notes.add('started');
    await sleep(250);
    return 'slow';
  }

  @Get('wait')
  async wait() {
    notes.add('started');
    const { signal } = currentScope();
    await once(signal, 'abort');
    notes.add(`aborted: ${signal.reason.reason}`);
    throw signal.reason;
  }
}

@Injectable({ scope: InjectionScope.REQUEST })
class PerRequest {}

@Controller('scoped')
class PerRequestController extends SharedController {
  constructor(readonly _perRequest: PerRequest) {
    super();
  }
}

@Controller('inner')
class InnerController {
  constructor(
    readonly monitor: TimeoutsMonitor,
    readonly drain: DrainService,
  ) {}

  @Get('in-flight')
  inFlight() {
    return [this.monitor.snapshot().inFlight.length, this.drain.inFlight];
  }
}

const controllers = [SharedController, PerRequestController];
const providers = [PerRequest];
const limitAt = async (url: string) => JSON.parse((await call(url)).body).timeoutMs;

describe.each(STACKS)('applications side by side, on $adapter with $enforcement', (stack) => {
  const start = (timeout: number, of: Stack = stack) =>
    startApp(of, { controllers, providers, options: { handler: timeout } });

  beforeEach(() => {
    notes = new Notes();
    roots.length = 0;
  });
  afterEach(closeApps);

  it.each(['', '/scoped'])('P15 keep their own limits, controllers shared: %j', async (path) => {
    const [short, long] = [await start(100), await start(5_000)];
    const [cut, whole, later] = await Promise.all([
      call(`${short.url}${path}/slow`),
      call(`${long.url}${path}/slow`),
      call(`${short.url}${path}/slow`),
    ]);
    expect([cut.status, later.status, whole.body]).toEqual([504, 504, 'slow']);
    expectOnTime(cut, 100);
    expect(await limitAt(`${short.url}${path}/limit`)).toBe(100);
    expect(await limitAt(`${long.url}${path}/limit`)).toBe(5_000);
    expect(roots[0]).not.toBe(roots[1]);
    expect(short.outcomes.map(({ result }) => result)).toEqual([
      'deadline',
      'deadline',
      'completed',
    ]);
    expect(long.outcomes.map(({ result }) => result)).toEqual(['completed', 'completed']);
  });

  it('P15 go down one by one: the other one goes on', async () => {
    const [first, second] = [await start(5_000), await start(100)];
    const client = await RawConnection.open(first.port);
    client.send(rawRequest('GET', '/wait'));
    await notes.seen('started');
    await second.app.close();
    expect([second.drain.state, first.drain.state]).toEqual(['closed', 'running']);
    expect(await limitAt(`${first.url}/limit`)).toBe(5_000);
    // Outside any request, work belongs to the application that is left.
    expect(currentScope()).toBe(roots[0]);
    expect(notes.all).toEqual(['started']);
    client.leave();
    await notes.seen('aborted: disconnect');
    await eventually(() => first.outcomes.length === 2);
  });
});

describe('applications on both adapters', () => {
  afterEach(closeApps);

  it('P15 keep their own limits', async () => {
    const express = await startApp(STACKS[0], {
      controllers: [SharedController],
      options: { handler: 100 },
    });
    const fastify = await startApp(STACKS[3], {
      controllers: [SharedController],
      options: { handler: '5s' },
    });
    const answers = await Promise.all([call(`${express.url}/slow`), call(`${fastify.url}/slow`)]);
    expect(answers.map(({ status }) => status)).toEqual([504, 200]);
  });
});

describe.each(STACKS)('the module imported twice, on $adapter with $enforcement', (stack) => {
  const { enforcement } = stack;
  beforeEach(() => {
    notes = new Notes();
  });
  afterEach(closeApps);

  const startTwice = async (outer: number, inner: number | 'none') => {
    const logger = new RecordingLogger();
    const outcomes: Outcome[] = [];
    const clocks = [new CountingClock(), new CountingClock()];
    const importOf = (handler: number | 'none', clock?: CountingClock) =>
      TimeoutsModule.forRoot({
        handler: handler as number,
        clock,
        enforcement,
        outbound: '50ms',
        shutdown: { grace: 100 },
        listeners: [{ onOutcome: (outcome) => outcomes.push(outcome) }],
      });
    class FeatureModule {}
    Module({ imports: [importOf(inner, clocks[1])], controllers: [InnerController] })(
      FeatureModule,
    );
    const app = await startApp(stack, {
      timeouts: importOf(outer, clocks[0]),
      imports: [FeatureModule],
      controllers: [SharedController],
      nest: { logger },
    });
    const alarms = () => clocks.map((clock) => clock.set);
    return { ...app, logger, outcomes, alarms };
  };

  it.each([
    ['the same options', 100],
    ['other options', 5_000],
    ['no limit', 'none'],
  ] as const)('P15 does not stack timers or mix options: %s', async (_what, inner) => {
    const { url, alarms, outcomes, logger } = await startTwice(100, inner);
    const before = alarms();
    expect(await limitAt(`${url}/limit`)).toBe(100);
    expect(alarms()).toEqual([before[0]! + 1, before[1]]);
    const answer = await call(`${url}/slow`);
    expect(answer.status).toBe(504);
    expectOnTime(answer, 100);
    expect(outcomes.map(({ result }) => result)).toEqual(['completed', 'deadline']);
    expect(logger.at('warn')).toEqual([
      'TimeoutsModule is imported twice; the options of the first import hold Timeouts',
    ]);
    expect(logger.at('log').filter((text) => text.startsWith('Limits in force'))).toHaveLength(1);
  });

  it('P15 has one scope tree, so that every module sees what is in flight', async () => {
    const { url, port, app, monitor, drain } = await startTwice(5_000, 100);
    const client = await RawConnection.open(port);
    client.send(rawRequest('GET', '/wait'));
    await notes.seen('started');
    expect(JSON.parse((await call(`${url}/inner/in-flight`)).body)).toEqual([2, 2]);
    const inner = app.get(InnerController);
    expect([inner.monitor, inner.drain]).toEqual([monitor, drain]);
    expect((currentScope() as ScopeNode).children.size).toBe(1);
    client.leave();
    await notes.seen('aborted: disconnect');
    await app.close();
    expect(inner.drain.state).toBe('closed');
  });

  it('P15 still refuses bad options of the second import', async () => {
    const error = await startTwice(100, 0).catch((caught) => caught);
    expect(error).toBeInstanceOf(TimeoutsConfigurationError);
  });
});
