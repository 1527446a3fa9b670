import { afterEach, describe, expect, it } from '@jest/globals';
import { HealthIndicatorService, TerminusModule } from '@nestjs/terminus';
import { currentScope } from 'nestjs-timeouts';
import type { ProbeChecks, TimeoutsHealthModuleOptions } from 'nestjs-timeouts/terminus';
import { TimeoutsHealthModule } from 'nestjs-timeouts/terminus';
import { closeApps, STACKS, startApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { call, expectOnTime } from '../support/http-client.js';
import { watchProcess } from '../support/watch-process.js';
import { untilCancelled } from '../support/work.js';
import { probe, up } from './fixtures/probe.js';

const COUNT = expect.any(Number);

afterEach(closeApps);

/** Work that ends when it is told to, and counts how often it was begun. */
class Gate {
  begun = 0;
  #open: (() => void)[] = [];

  pass(): Promise<void> {
    this.begun++;
    return new Promise((resolve) => this.#open.push(resolve));
  }

  open(): void {
    for (const open of this.#open.splice(0)) open();
  }
}

describe.each(STACKS)('checks on $adapter, $enforcement', (stack) => {
  const warnings = watchProcess();
  const start = async (checks: ProbeChecks, options: TimeoutsHealthModuleOptions = {}) => {
    const health = TimeoutsHealthModule.forRoot({ checks, ...options });
    return (await startApp(stack, { imports: [health] })).url;
  };

  it('K04 fails a check that hangs at its timeout, by its name, beside the others', async () => {
    const url = await start({
      queue: () => 'connected',
      database: { check: () => new Promise(() => {}), timeout: 150 },
    });

    const answer = await call(`${url}/_ops/ready`);

    expectOnTime(answer, 150);
    const database = {
      status: 'down',
      message: 'database did not complete within 150ms',
      responseTime: COUNT,
    };
    const well = { drain: { ...up, state: 'running' }, queue: { ...up, responseTime: COUNT } };
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      503,
      { status: 'error', info: well, error: { database }, details: { ...well, database } },
    ]);
  });

  it('K04 has a timeout for all checks, by default 800 ms', async () => {
    const url = await start({ database: () => untilCancelled() });
    const other = await start({ database: () => untilCancelled() }, { checkTimeout: '120ms' });

    expectOnTime(await call(`${url}/_ops/ready`), 800);
    expectOnTime(await call(`${other}/_ops/ready`), 120);
  });

  it('K04 never runs a check beside itself, not even one that ignored its timeout', async () => {
    const gate = new Gate();
    const url = await start({ slow: { check: () => gate.pass(), timeout: 100, cacheFor: 0 } });

    const together = await Promise.all(Array.from({ length: 20 }, () => probe(url, '/_ops/ready')));
    const later = await call(`${url}/_ops/ready`);

    expect(new Set(together.map(({ status }) => status))).toEqual(new Set([503]));
    expect([later.status, gate.begun]).toEqual([503, 1]);
    expect(later.elapsedMs - later.stalledMs).toBeLessThan(60);
    gate.open();
    const again = probe(url, '/_ops/ready');
    await eventually(() => gate.begun === 2);
    gate.open();
    expect((await again).status).toBe(200);
    expect(warnings).toEqual([]);
  });

  it('K04 asks once for many probes, for as long as the result is fresh', async () => {
    let asked = 0;
    let sinceFailed = 0;
    const url = await start({
      cached: { check: () => void asked++, cacheFor: '1m' },
      failing: {
        check: () => Promise.reject(new Error(`refused ${++sinceFailed}`)),
        cacheFor: 0,
      },
    });

    const first = await probe(url, '/_ops/ready');
    const second = await probe(url, '/_ops/ready');

    const refused = (times: number) => ({
      failing: { status: 'down', message: `refused ${times}`, responseTime: COUNT },
    });
    expect(first.body.error).toEqual(refused(1));
    expect(second.body.error).toEqual(refused(2));
    expect(asked).toBe(1);
  });

  it('K04 runs a check in a scope with its timeout', async () => {
    const seen: number[] = [];
    let reason: unknown;
    const url = await start({
      scoped: {
        check: async ({ signal }) => {
          seen.push(currentScope().budgetMs());
          signal.addEventListener('abort', () => (reason = signal.reason));
          await untilCancelled();
        },
        timeout: 120,
      },
    });

    await probe(url, '/_ops/ready');

    expect(seen[0]).toBeGreaterThan(60);
    expect(seen[0]).toBeLessThanOrEqual(120);
    expect(reason).toMatchObject({ reason: 'deadline', scopeName: 'scoped' });
  });

  it('K04 understands the indicators of Terminus, and what says no', async () => {
    const health = TimeoutsHealthModule.forRootAsync({
      imports: [TerminusModule],
      inject: [HealthIndicatorService],
      useFactory: (indicators: HealthIndicatorService) => ({
        checks: {
          a: () => indicators.check('replica').degraded({ lag: 3 }),
          b: () => indicators.check('disk').attempt(() => ({ free: 7 })),
          c: () => ({ status: 'connected' }),
        },
        startupChecks: {
          migrated: () => false,
          thrown: () => {
            throw new Error('no schema');
          },
          indicated: () => indicators.check('warm').down('cold'),
        },
      }),
    });
    const { url } = await startApp(stack, { imports: [health] });

    const [ready, startup] = await Promise.all([
      probe(url, '/_ops/ready'),
      probe(url, '/_ops/startup'),
    ]);

    expect([ready.status, ready.body.status, ready.body.details]).toEqual([
      200,
      'degraded',
      {
        drain: { ...up, state: 'running' },
        replica: { status: 'degraded', lag: 3 },
        disk: { ...up, free: 7, responseTime: COUNT },
        c: { ...up, responseTime: COUNT },
      },
    ]);
    expect([startup.status, startup.body.error]).toEqual([
      503,
      {
        migrated: { status: 'down', responseTime: COUNT },
        thrown: { status: 'down', message: 'no schema', responseTime: COUNT },
        warm: { status: 'down', message: 'cold' },
      },
    ]);
  });
});
