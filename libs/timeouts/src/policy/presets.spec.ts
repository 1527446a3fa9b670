import { describe, expect, it } from '@jest/globals';
import { PRESETS } from './presets.js';
import type { Preset } from './presets.js';
import { resolveOptions } from './resolve-options.js';

const production = { NODE_ENV: 'production' };

describe('presets', () => {
  it.each([
    ['api', { body: 15, handler: 30, outbound: 10, statement: 5, grace: 20 }],
    ['ai', { body: 30, handler: 120, outbound: 60, statement: Infinity, grace: 30 }],
    ['upload', { body: 120, handler: 300, outbound: 10, statement: Infinity, grace: 60 }],
    ['batch', { body: 15, handler: 30, outbound: 10, statement: 300, grace: 120, job: 3_600 }],
  ] as const)('P14 %s carries its numbers', (preset, seconds) => {
    const options = resolveOptions({ preset }, production);

    expect({
      job: Infinity,
      ...Object.fromEntries(Object.entries(seconds).map(([key, value]) => [key, value * 1_000])),
    }).toEqual({
      body: options.body.idleMs,
      handler: options.handlerMs,
      outbound: options.outbound.headersMs,
      statement: options.statementMs,
      grace: options.shutdown.graceMs,
      job: options.jobMs,
    });
  });

  it.each(Object.keys(PRESETS) as Preset[])('P14 %s starts strictly', (preset) => {
    expect(() => resolveOptions({ preset, strict: true }, production)).not.toThrow();
  });

  it.each([
    [{}, {}, 120_000, 'preset ai'],
    [{}, { REQUEST_TIMEOUT_SECONDS: '90' }, 90_000, 'variable REQUEST_TIMEOUT_SECONDS'],
    [{ handler: '70s' }, { REQUEST_TIMEOUT_SECONDS: '90' }, 70_000, 'option'],
  ] as const)('P14 gives way to variables and options: %p %p', (options, env, ms, origin) => {
    const resolved = resolveOptions({ preset: 'ai', ...options }, env);

    expect(resolved.handlerMs).toBe(ms);
    expect(resolved.origins.get('handler')).toBe(origin);
    expect(resolved.outbound.bodyIdleMs).toBe(60_000);
  });
});
