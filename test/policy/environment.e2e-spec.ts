import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TimeoutsModuleOptions } from 'nestjs-timeouts';
import { TimeoutsModule } from 'nestjs-timeouts';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { readBootTable } from '../support/boot-table.js';
import { useEnvironment } from '../support/environment.js';
import { call, expectOnTime, expectProblem } from '../support/http-client.js';
import { RecordingLogger } from '../support/recording-logger.js';

/** variable, its value, the rows it sets, how they read */
const VARIABLES = [
  ['REQUEST_HEADERS_TIMEOUT_SECONDS', '7', ['headers'], '7s'],
  ['REQUEST_BODY_TIMEOUT_SECONDS', '8.5', ['body.idle'], '8.5s'],
  ['REQUEST_BODY_MIN_RATE_BYTES', '120', ['body.minRate'], '120 B/s'],
  ['REQUEST_BODY_GRACE_SECONDS', '3', ['body.grace'], '3s'],
  ['REQUEST_BODY_TOTAL_TIMEOUT_SECONDS', '90', ['body.total'], '90s'],
  ['REQUEST_TIMEOUT_SECONDS', '21', ['handler'], '21s'],
  ['RESPONSE_MIN_RATE_BYTES', '64', ['response.minRate'], '64 B/s'],
  ['RESPONSE_GRACE_SECONDS', '4', ['response.grace'], '4s'],
  ['HTTP_CLIENT_TIMEOUT_SECONDS', '6', ['outbound.headers', 'outbound.bodyIdle'], '6s'],
  ['DB_STATEMENT_TIMEOUT_MS', '2500', ['statement'], '2.5s'],
  ['JOB_DEFAULT_TIMEOUT_SECONDS', '600', ['job'], '10m'],
  ['WEBHOOK_DELIVERY_TIMEOUT_SECONDS', '5', ['webhook'], '5s'],
  ['SHUTDOWN_GRACE_PERIOD_SECONDS', '0.2', ['shutdown.grace'], '200ms'],
  ['SHUTDOWN_READINESS_DELAY_SECONDS', '0', ['shutdown.readinessDelay'], '0s'],
  ['SHUTDOWN_QUIET_PERIOD_SECONDS', '0.1', ['shutdown.quiet'], '100ms'],
  ['REQUEST_TIMEOUT_SKIP_PATHS', '/deaf/stream, v1/chat', ['skipPaths'], '/deaf/stream, /v1/chat'],
] as const;

const environment = Object.fromEntries(VARIABLES.map(([name, value]) => [name, value]));

const EXPLICIT: TimeoutsModuleOptions = {
  headers: '1s',
  body: { idle: '1s', minRate: 1, grace: '1s', total: '1s' },
  handler: '4s',
  response: { minRate: 1, grace: '1s' },
  outbound: '1s',
  statement: '500ms',
  job: '2s',
  webhook: '1s',
  shutdown: { grace: '150ms', readinessDelay: '1s', quiet: 0 },
  skipPaths: ['/deaf'],
};

@Controller('deaf')
class DeafController {
  @Get()
  deaf() {
    return sleep(600, 'answer');
  }

  @Get('brief')
  brief() {
    return sleep(200, 'answer');
  }
}

describe.each(STACKS)('the environment, on $adapter with $enforcement', (stack) => {
  const setEnvironment = useEnvironment();
  const { enforcement } = stack;
  afterEach(closeApps);

  const bootTable = async (options: TimeoutsModuleOptions) => {
    const logger = new RecordingLogger();
    const timeouts = TimeoutsModule.forRoot({ ...options, enforcement });
    await startApp(stack, { controllers: [DeafController], nest: { logger }, timeouts });
    return readBootTable(logger);
  };

  it('P08 every variable sets its options', async () => {
    setEnvironment(environment);
    const table = await bootTable({});
    for (const [variable, , rows, shown] of VARIABLES) {
      for (const row of rows) {
        expect([row, table.get(row)]).toEqual([row, `${shown} variable ${variable}`]);
      }
    }
  });

  it('P08 every variable is overridden by an explicit option', async () => {
    setEnvironment(environment);
    const table = await bootTable(EXPLICIT);
    for (const [, , rows, shown] of VARIABLES) {
      for (const row of rows) {
        expect([row, table.get(row)]).toEqual([row, expect.stringMatching(/ option$/)]);
        expect(table.get(row)).not.toContain(shown);
      }
    }
  });

  it('P08 REQUEST_TIMEOUT_SECONDS=0.5 answers 504 after half a second', async () => {
    setEnvironment({ REQUEST_TIMEOUT_SECONDS: ' 0.5 ', SHUTDOWN_GRACE_PERIOD_SECONDS: '1' });
    const timeouts = TimeoutsModule.forRoot({ enforcement });
    const { url } = await startApp(stack, { controllers: [DeafController], timeouts });
    const problem = expectProblem(await call(`${url}/deaf`), 500);
    expect(problem).toMatchObject({ timeoutMs: 500 });
  });

  it('P08 REQUEST_TIMEOUT_SECONDS=none lifts the limit, an explicit option sets it again', async () => {
    setEnvironment({ REQUEST_TIMEOUT_SECONDS: 'none', SHUTDOWN_GRACE_PERIOD_SECONDS: '1' });
    const bare = TimeoutsModule.forRoot({ enforcement });
    const unlimited = await startApp(stack, { controllers: [DeafController], timeouts: bare });
    const own = TimeoutsModule.forRoot({ enforcement, handler: '100ms' });
    const limited = await startApp(stack, { controllers: [DeafController], timeouts: own });
    const [free, cut] = await Promise.all([
      call(`${unlimited.url}/deaf/brief`),
      call(`${limited.url}/deaf/brief`),
    ]);
    expect(free.body).toBe('answer');
    expect(cut.status).toBe(504);
    expectOnTime(cut, 100);
  });
});
