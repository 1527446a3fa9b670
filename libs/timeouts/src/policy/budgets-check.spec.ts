import { describe, expect, it } from '@jest/globals';
import { checkBudgets } from './budgets-check.js';
import type { BudgetFacts } from './budgets-check.js';
import { TimeoutsConfigurationError } from './configuration-error.js';
import { resolveOptions } from './resolve-options.js';
import type { TimeoutsOptions } from './timeouts-options.js';

function check(
  options: TimeoutsOptions,
  facts: BudgetFacts = {},
  env: NodeJS.ProcessEnv = {},
): readonly string[] {
  return checkBudgets(resolveOptions(options, { NODE_ENV: 'production', ...env }), facts);
}

describe('checkBudgets', () => {
  it.each([
    ['defaults', {}],
    ['api', { preset: 'api' }],
    ['ai', { preset: 'ai' }],
    ['upload', { preset: 'upload' }],
    ['batch', { preset: 'batch' }],
    ['batch with a shorter handler', { preset: 'batch', handler: '20s' }],
    ['no limits at all', { handler: 'none', outbound: 'none', statement: 'none' }],
    ['no limit inside', { handler: '20s', outbound: 'none', statement: '5s' }],
    ['no limit around', { handler: 'none', outbound: '1h' }],
    ['limits beyond the longest timer', { handler: '40d', outbound: '30d' }],
    ['a policy with a short handler', { policies: { a: { handler: '1s' } } }],
    ['a policy for a long query', { policies: { a: { handler: '2m', statement: '90s' } } }],
  ] as const)('P12 finds nothing wrong with %s', (_, options) => {
    expect(check(options)).toEqual([]);
  });

  it.each([
    [
      'outbound against handler',
      { outbound: '40s' },
      'outbound.headers (40s, option) is not shorter than handler (30s, profile production)',
    ],
    ['equal limits', { outbound: '30s' }, 'outbound.headers (30s, option) is not shorter'],
    [
      'a default against an option',
      { handler: '5s' },
      'outbound.headers (10s, default) is not shorter than handler (5s, option)',
    ],
    [
      'outbound total',
      { outbound: { total: '1m' } },
      'outbound.total (1m, option) is not shorter than handler',
    ],
    [
      'statement against outbound',
      { statement: '15s' },
      'statement (15s, option) is not shorter than outbound.headers (10s, default)',
    ],
    [
      'statement against handler',
      { statement: '35s', outbound: 'none' },
      'statement (35s, option) is not shorter than handler',
    ],
    [
      'webhook against job',
      { webhook: '1m', job: '30s' },
      'webhook (1m, option) is not shorter than job (30s, option)',
    ],
    [
      'quiet against grace',
      { shutdown: { quiet: '30s' } },
      'shutdown.quiet (30s, option) is not shorter than shutdown.grace',
    ],
    [
      'a policy against itself',
      { policies: { a: { outbound: '9s', handler: '8s' } } },
      'policies.a.outbound.headers (9s, option) is not shorter than policies.a.handler (8s, option)',
    ],
    [
      'a policy against the defaults',
      { policies: { a: { statement: '1m' } } },
      'policies.a.statement (1m, option) is not shorter than handler',
    ],
  ] as const)('P12 finds %s', (_, options, sentence) => {
    expect(check(options)).toEqual([expect.stringContaining(sentence)]);
  });

  it('P12 says how to mend it', () => {
    expect(check({ preset: 'ai' }, {}, { REQUEST_TIMEOUT_SECONDS: '45' })).toEqual([
      'outbound.headers (1m, preset ai) is not shorter than ' +
        'handler (45s, variable REQUEST_TIMEOUT_SECONDS) around it: ' +
        'set outbound.headers below 45s or handler above 1m',
    ]);
  });

  it('P12 finds every inversion at once', () => {
    const findings = check({
      statement: '60s',
      outbound: '50s',
      handler: '40s',
      webhook: '2m',
      job: '1m',
      policies: { a: { outbound: '1h', statement: '2h' } },
    });

    expect(findings).toHaveLength(7);
  });

  it.each([
    [27, 1],
    [27.001, 0],
    [undefined, 0],
  ])('P12 weighs the drain against %p s until the process is killed', (seconds, count) => {
    const facts = { terminationGraceMs: seconds && seconds * 1_000 };

    expect(check({}, facts)).toHaveLength(count);
  });

  it('P12 names delay, grace and the time there is', () => {
    const [finding] = check({ shutdown: { grace: '30s' } }, { terminationGraceMs: 30_000 });

    expect(finding).toMatch(
      /^shutdown.readinessDelay \(5s, .*\) and shutdown.grace \(30s, option\)/,
    );
    expect(finding).toContain('TERMINATION_GRACE_PERIOD_SECONDS (30s)');
    expect(finding).toContain('raise terminationGracePeriodSeconds above 37s');
  });

  it('P12 doubts a grace without end in a pod that has one', () => {
    expect(check({ shutdown: { grace: 'none' } }, { terminationGraceMs: 60_000 })).toHaveLength(1);
  });

  it.each([
    [5_000, 60_000, 1],
    [60_000, 60_000, 1],
    [61_000, 60_000, 0],
    [0, 60_000, 0],
    [5_000, undefined, 0],
    [undefined, 60_000, 0],
  ])(
    'P12 compares keep-alive %p with the load balancer %p',
    (keepAliveMs, loadBalancerIdleMs, count) => {
      const findings = check({}, { keepAliveMs, loadBalancerIdleMs });

      expect(findings).toHaveLength(count);
      expect(findings.join()).toContain(count ? 'LOAD_BALANCER_IDLE_TIMEOUT_SECONDS (1m)' : '');
    },
  );

  it('P12 refuses to start when strict', () => {
    expect(() => check({ strict: true, outbound: '40s' })).toThrow(TimeoutsConfigurationError);
    expect(() => check({ strict: true, outbound: '40s' })).toThrow('is not shorter than handler');
    expect(check({ strict: true })).toEqual([]);
  });
});
