import { afterEach, describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';
import { Controller, Get, Post } from '@nestjs/common';
import type { TimeoutsModuleOptions } from 'nestjs-timeouts';
import { Deadline, pick, SkipTimeout, TimeoutsConfigurationError } from 'nestjs-timeouts';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { readBootTable } from '../support/boot-table.js';
import { runTypescript } from '../support/child-process.js';
import { useEnvironment } from '../support/environment.js';
import { RecordingLogger } from '../support/recording-logger.js';

@Controller('v1/orders')
class OrdersController {
  @Deadline({ policy: 'reprot' })
  @Get()
  list() {}
}

@Deadline({ handler: 0, status: 200 })
@Controller('v1/carts')
class CartsController {
  @Deadline('5 parsecs' as never)
  @Get(':id')
  show() {}

  @SkipTimeout('statement' as never)
  @Post()
  create() {}
}

describe.each(STACKS)('a bad configuration, on $adapter with $enforcement', (stack) => {
  const setEnvironment = useEnvironment();
  afterEach(closeApps);

  const faultsOf = async (options: TimeoutsModuleOptions, controllers: Type[] = []) => {
    const error = await startApp(stack, { controllers, options }).catch((caught) => caught);
    expect(error).toBeInstanceOf(TimeoutsConfigurationError);
    return (error as TimeoutsConfigurationError).faults;
  };

  it('P05 an unknown policy fails at boot, naming the route and the known names', async () => {
    const policies = { report: { handler: '2m' }, quick: { handler: '1s' } } as const;
    expect(await faultsOf({ policies }, [OrdersController])).toEqual([
      'policy on GET /v1/orders (OrdersController.list) is "reprot"; allowed: report, quick',
    ]);
  });

  it('P06 all faults of the markers are in one error, each naming its route', async () => {
    const faults = await faultsOf({}, [OrdersController, CartsController]);
    const named = faults.map((fault) => fault.slice(0, fault.indexOf(';')));
    expect(named).toEqual([
      'policy on GET /v1/orders (OrdersController.list) is "reprot"',
      'handler on GET /v1/carts/:id (CartsController.show) is 0',
      'status on GET /v1/carts/:id (CartsController.show) is 200',
      'handler on GET /v1/carts/:id (CartsController.show) is "5 parsecs"',
      'handler on POST /v1/carts (CartsController.create) is 0',
      'status on POST /v1/carts (CartsController.create) is 200',
      '@SkipTimeout on POST /v1/carts (CartsController.create) is "statement"',
    ]);
  });

  it('P06 all faults of options and variables are in one error, each naming its source', async () => {
    setEnvironment({ REQUEST_TIMEOUT_SECONDS: 'abc', DB_STATEMENT_TIMEOUT_MS: '0' });
    const faults = await faultsOf({
      handler: 0,
      job: -1,
      webhook: NaN,
      headers: '5 parsecs' as never,
      body: { minRate: 0 },
      policies: { report: { handler: '0s' } },
    });
    const names = faults.map((fault) => fault.split(' is ')[0]);
    expect(names.toSorted()).toEqual([
      'DB_STATEMENT_TIMEOUT_MS',
      'REQUEST_TIMEOUT_SECONDS',
      'body.minRate',
      'handler',
      'headers',
      'job',
      'policies.report.handler',
      'webhook',
    ]);
    for (const fault of faults) expect(fault).toContain('allowed: ');
  });

  it('P09 an unknown environment name stops the boot, and pick() too', async () => {
    setEnvironment({ APP_ENV: 'prduction' });
    const [fault] = await faultsOf({});
    expect(fault).toContain('APP_ENV is "prduction"; allowed: production, prod, development');
    expect(() => pick({ prod: 1, nonprod: 2 })).toThrow(fault);
  });

  it.each([
    ['production', 'production'],
    [' Prod ', 'production'],
    ['DEVELOPMENT', 'development'],
    ['dev', 'development'],
    ['local', 'development'],
    ['test', 'development'],
    ['Staging', 'development'],
    ['preview', 'development'],
    ['uat', 'development'],
  ])('P09 APP_ENV %j is the %s profile', async (name, profile) => {
    setEnvironment({ NODE_ENV: profile === 'production' ? 'test' : 'production', APP_ENV: name });
    const logger = new RecordingLogger();
    await startApp(stack, { nest: { logger } });
    expect(readBootTable(logger).get('profile')).toBe(`${profile} variable APP_ENV`);
    expect(pick({ prod: 'production', nonprod: 'development' })).toBe(profile);
  });
});

describe('a bad configuration in a process of its own', () => {
  const boot = (variables: Record<string, string>) =>
    runTypescript('test/policy/fixtures/boot.ts', variables);

  it('P06 ends it with one readable error and exit code 1, before it listens', async () => {
    const { code, stdout, stderr } = await boot({
      REQUEST_TIMEOUT_SECONDS: 'abc',
      HTTP_CLIENT_TIMEOUT_SECONDS: '-1',
    });
    expect(code).toBe(1);
    expect(stdout).not.toContain('LISTENING');
    expect(stderr.match(/nestjs-timeouts found 2 faults in its configuration:/g)).toHaveLength(1);
    expect(stderr.match(/REQUEST_TIMEOUT_SECONDS is "abc"; allowed: /g)).toHaveLength(1);
    expect(stderr.match(/HTTP_CLIENT_TIMEOUT_SECONDS is "-1"; allowed: /g)).toHaveLength(1);
    expect(stderr).not.toContain('    at ');
  });

  it.each([
    ['P05', 'an unknown policy', { TEST_POLICY: 'reprot' }, 'is "reprot"; allowed: report'],
    ['P09', 'an unknown profile', { APP_ENV: 'prduction' }, 'APP_ENV is "prduction"; allowed: '],
  ])('%s ends it for %s', async (_row, _what, variables, fault) => {
    const { code, stdout, stderr } = await boot(variables);
    expect(code).toBe(1);
    expect(stdout).not.toContain('LISTENING');
    expect(stderr.split(fault)).toHaveLength(2);
  });

  it('P06 listens with a good one', async () => {
    const { code, stdout } = await boot({ REQUEST_TIMEOUT_SECONDS: '0.5' });
    expect(code).toBe(0);
    expect(stdout).toContain('LISTENING');
  });
});
