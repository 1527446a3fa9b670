import { afterEach, describe, expect, it } from '@jest/globals';
import type { TimeoutsModuleOptions } from 'nestjs-timeouts';
import { TimeoutsConfigurationError } from 'nestjs-timeouts';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { readBootTable } from '../support/boot-table.js';
import { useEnvironment } from '../support/environment.js';
import { RecordingLogger } from '../support/recording-logger.js';

const INVERTED: TimeoutsModuleOptions = {
  statement: '20s',
  outbound: { total: '15s' },
  handler: '10s',
  webhook: '2m',
  job: '1m',
  shutdown: { grace: '40s', readinessDelay: '5s', quiet: '41s' },
  policies: { report: { handler: '3s', statement: '4s' } },
};

const VARIABLES = {
  TERMINATION_GRACE_PERIOD_SECONDS: '30',
  LOAD_BALANCER_IDLE_TIMEOUT_SECONDS: '600',
};

/** The start of each finding. */
const FINDINGS = [
  'statement (20s, option) is not shorter than outbound.total (15s, option)',
  'statement (20s, option) is not shorter than handler (10s, option)',
  'outbound.total (15s, option) is not shorter than handler (10s, option)',
  'webhook (2m, option) is not shorter than job (1m, option)',
  'shutdown.quiet (41s, option) is not shorter than shutdown.grace (40s, option)',
  'policies.report.statement (4s, option) is not shorter than policies.report.handler (3s, option)',
  'shutdown.readinessDelay (5s, option) and shutdown.grace (40s, option) with a margin of 2s do not fit into TERMINATION_GRACE_PERIOD_SECONDS (30s)',
  "the server's keepAliveTimeout",
];

describe.each(STACKS)('what is logged at boot, on $adapter with $enforcement', (stack) => {
  const setEnvironment = useEnvironment();
  afterEach(closeApps);

  it('P12 one table with every value and its origin', async () => {
    setEnvironment({ NODE_ENV: 'production', DB_STATEMENT_TIMEOUT_MS: '2000' });
    const logger = new RecordingLogger();
    const options = { preset: 'api', handler: '20s' } as const;
    await startApp(stack, { options, nest: { logger } });
    const table = readBootTable(logger);
    expect(Object.fromEntries(table)).toMatchObject({
      option: 'value origin',
      profile: 'production variable NODE_ENV',
      preset: 'api option',
      headers: '20s default',
      'body.idle': '15s preset api',
      handler: '20s option',
      statement: '2s variable DB_STATEMENT_TIMEOUT_MS',
      job: 'none default',
      'shutdown.readinessDelay': '5s profile production',
      skipPaths: 'none default',
    });
    expect(table.size).toBeGreaterThanOrEqual(26);
    expect(logger.at('warn', 'error')).toEqual([]);
  });

  it('P12 every inversion of the budgets as a warning', async () => {
    setEnvironment(VARIABLES);
    const logger = new RecordingLogger();
    await startApp(stack, {
      options: INVERTED,
      nest: { logger },
      prepare: (app) => void (app.getHttpServer().keepAliveTimeout = 5_000),
    });
    const warnings = logger.at('warn');
    expect(warnings.map((text, index) => text.startsWith(FINDINGS[index] ?? '?'))).toEqual(
      FINDINGS.map(() => true),
    );
    expect(logger.at('error')).toEqual([]);
  });

  it('P12 strict: true refuses to boot, naming all of them in one error', async () => {
    setEnvironment(VARIABLES);
    const options = { ...INVERTED, strict: true };
    const error = await startApp(stack, {
      options,
      prepare: (app) => void (app.getHttpServer().keepAliveTimeout = 5_000),
    }).catch((caught) => caught);
    expect(error).toBeInstanceOf(TimeoutsConfigurationError);
    expect(error.faults).toHaveLength(FINDINGS.length);
  });

  it('P12 strict: true boots with sound budgets', async () => {
    const logger = new RecordingLogger();
    const { drain } = await startApp(stack, { options: { strict: true }, nest: { logger } });
    expect(drain.state).toBe('running');
    expect(logger.at('warn')).toEqual([]);
  });
});
