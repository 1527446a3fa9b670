import { describe, expect, it } from '@jest/globals';
import { TimeoutsConfigurationError } from './configuration-error.js';
import { factsFromEnv, optionsFromEnv, VARIABLES } from './env.js';
import { resolveOptions } from './resolve-options.js';

function faultsOf(env: NodeJS.ProcessEnv): readonly string[] {
  try {
    optionsFromEnv(env);
  } catch (error) {
    if (error instanceof TimeoutsConfigurationError) return error.faults;
    throw error;
  }
  return [];
}

const rows = [
  ['REQUEST_HEADERS_TIMEOUT_SECONDS', '7', { headers: 7_000 }],
  ['REQUEST_BODY_TIMEOUT_SECONDS', '7', { body: { idle: 7_000 } }],
  ['REQUEST_BODY_MIN_RATE_BYTES', '512', { body: { minRate: 512 } }],
  ['REQUEST_BODY_GRACE_SECONDS', '7', { body: { grace: 7_000 } }],
  ['REQUEST_BODY_TOTAL_TIMEOUT_SECONDS', '7', { body: { total: 7_000 } }],
  ['REQUEST_TIMEOUT_SECONDS', '7', { handler: 7_000 }],
  ['RESPONSE_MIN_RATE_BYTES', '512', { response: { minRate: 512 } }],
  ['RESPONSE_GRACE_SECONDS', '7', { response: { grace: 7_000 } }],
  ['HTTP_CLIENT_TIMEOUT_SECONDS', '7', { outbound: { headers: 7_000, bodyIdle: 7_000 } }],
  ['DB_STATEMENT_TIMEOUT_MS', '7', { statement: 7 }],
  ['JOB_DEFAULT_TIMEOUT_SECONDS', '7', { job: 7_000 }],
  ['WEBHOOK_DELIVERY_TIMEOUT_SECONDS', '7', { webhook: 7_000 }],
  ['SHUTDOWN_GRACE_PERIOD_SECONDS', '7', { shutdown: { grace: 7_000 } }],
  ['SHUTDOWN_READINESS_DELAY_SECONDS', '7', { shutdown: { readinessDelay: 7_000 } }],
  ['SHUTDOWN_QUIET_PERIOD_SECONDS', '7', { shutdown: { quiet: 7_000 } }],
  ['REQUEST_TIMEOUT_SKIP_PATHS', '/a, b/c  /d/', { skipPaths: ['/a', '/b/c', '/d'] }],
] as const;

describe('optionsFromEnv', () => {
  it.each(rows)('P08 reads %s', (name, text, options) => {
    expect(optionsFromEnv({ [name]: text })).toEqual(options);
  });

  it('P08 has a test for every variable', () => {
    expect(rows.map(([name]) => name)).toEqual(Object.keys(VARIABLES));
  });

  it.each([
    ['0.5', 500],
    ['.5', 500],
    ['1.001', 1_001],
    ['007', 7_000],
    ['  30\n', 30_000],
    ['3000000', 3_000_000_000],
    ['none', 'none'],
    ['Infinity', 'none'],
  ])('P08 reads %p seconds as %p', (text, handler) => {
    expect(optionsFromEnv({ REQUEST_TIMEOUT_SECONDS: text })).toEqual({ handler });
  });

  it.each([[undefined], [''], ['   ']])('takes %p for unset', (text) => {
    expect(optionsFromEnv({ REQUEST_TIMEOUT_SECONDS: text })).toEqual({});
  });

  it.each([
    ['0'],
    ['0.0'],
    ['-1'],
    ['+1'],
    ['NaN'],
    ['abc'],
    ['30s'],
    ['1e3'],
    ['0x10'],
    ['1_000'],
    ['1,5'],
    ['5.'],
    ['٣'],
    ['infinity'],
    ['inf'],
    ['None'],
    ['9'.repeat(400)],
  ])('P06 refuses %p, naming the variable', (text) => {
    expect(faultsOf({ REQUEST_TIMEOUT_SECONDS: text })).toEqual([
      expect.stringMatching(
        /^REQUEST_TIMEOUT_SECONDS is ".+"; allowed: .* seconds above 0, or 'none'/,
      ),
    ]);
  });

  it('P06 reports every variable that cannot be read at once', () => {
    const faults = faultsOf({
      DB_STATEMENT_TIMEOUT_MS: '0',
      REQUEST_BODY_MIN_RATE_BYTES: 'slow',
      REQUEST_TIMEOUT_SKIP_PATHS: '/v1/chat,/',
      HTTP_CLIENT_TIMEOUT_SECONDS: '-1',
    });

    expect(faults).toHaveLength(4);
    expect(faults.join('\n')).toMatch(/bytes per second above 0[^]*milliseconds above 0/);
    expect(faults.join('\n')).toContain('an entry of REQUEST_TIMEOUT_SKIP_PATHS is "/"');
  });

  it.each([['SHUTDOWN_READINESS_DELAY_SECONDS'], ['SHUTDOWN_QUIET_PERIOD_SECONDS']])(
    'allows %s to be 0 but not unlimited',
    (name) => {
      expect(faultsOf({ [name]: '0' })).toEqual([]);
      expect(faultsOf({ [name]: 'none' })).toEqual([expect.stringContaining('0 or more')]);
    },
  );

  it('gives what the module makes of the variables itself', () => {
    const env = { REQUEST_TIMEOUT_SECONDS: 'none', REQUEST_BODY_MIN_RATE_BYTES: 'none' };

    const { handlerMs, body } = resolveOptions(optionsFromEnv(env), {});

    expect(handlerMs).toBe(Infinity);
    expect(body).toEqual(resolveOptions({}, env).body);
  });
});

describe('factsFromEnv', () => {
  it('reads what surrounds the process', () => {
    const env = {
      TERMINATION_GRACE_PERIOD_SECONDS: '30',
      LOAD_BALANCER_IDLE_TIMEOUT_SECONDS: '60',
    };

    expect(factsFromEnv(env)).toEqual({ terminationGraceMs: 30_000, loadBalancerIdleMs: 60_000 });
    expect(factsFromEnv({ LOAD_BALANCER_IDLE_TIMEOUT_SECONDS: 'none' })).toEqual({});
  });

  it('P06 refuses what cannot be read', () => {
    expect(() => factsFromEnv({ TERMINATION_GRACE_PERIOD_SECONDS: '30s' })).toThrow(
      'TERMINATION_GRACE_PERIOD_SECONDS is "30s"',
    );
  });
});
