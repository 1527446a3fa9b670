import { describe, expect, it } from '@jest/globals';
import { formatBootTable } from './boot-table.js';
import { DEFAULTS } from './defaults.js';
import { resolveOptions } from './resolve-options.js';

function rowsOf(table: string): string[][] {
  return table.split('\n').map((line) => line.split(/ {2,}/));
}

describe('formatBootTable', () => {
  it('P12 shows every option with its value and origin', () => {
    const options = resolveOptions(
      {
        preset: 'ai',
        body: { minRate: 'none' },
        skipPaths: ['/v1/chat', '/ws'],
        policies: {
          report: { handler: '2m', body: { minRate: 100 }, onDisconnect: { grace: '5s' } },
          empty: {},
        },
      },
      { APP_ENV: 'prod', REQUEST_TIMEOUT_SECONDS: '0.5' },
    );

    expect(rowsOf(formatBootTable(options))).toEqual([
      ['option', 'value', 'origin'],
      ['profile', 'production', 'variable APP_ENV'],
      ['preset', 'ai', 'option'],
      ['headers', '20s', 'default'],
      ['body.idle', '30s', 'preset ai'],
      ['body.minRate', 'none', 'option'],
      ['body.grace', '5s', 'default'],
      ['body.total', 'none', 'default'],
      ['handler', '500ms', 'variable REQUEST_TIMEOUT_SECONDS'],
      ['stream.idle', 'none', 'default'],
      ['stream.total', 'none', 'default'],
      ['response.minRate', '240 B/s', 'default'],
      ['response.grace', '5s', 'default'],
      ['outbound.connect', '10s', 'default'],
      ['outbound.headers', '1m', 'preset ai'],
      ['outbound.bodyIdle', '1m', 'preset ai'],
      ['outbound.total', 'none', 'default'],
      ['outbound.patchGlobalFetch', 'true', 'default'],
      ['statement', 'none', 'default'],
      ['job', 'none', 'default'],
      ['webhook', '1m', 'outbound'],
      ['shutdown.grace', '30s', 'preset ai'],
      ['shutdown.readinessDelay', '5s', 'profile production'],
      ['shutdown.quiet', '0s', 'default'],
      ['shedding.inFlight', 'none', 'default'],
      ['shedding.loopDelay', 'none', 'default'],
      ['shedding.maxShare', '50 %', 'default'],
      ['skipPaths', '/v1/chat, /ws', 'option'],
      ['enforcement', 'auto', 'default'],
      ['backstop', '100ms', 'default'],
      ['suspendWhileDebugging', 'false', 'default'],
      ['strict', 'false', 'default'],
      [
        'policies.report',
        'handler 2m, body.minRate 100 B/s, onDisconnect cancel after 5s',
        'option',
      ],
      ['policies.empty', 'as the defaults', 'option'],
    ]);
  });

  it('P12 is aligned and has no preset row without a preset', () => {
    const lines = formatBootTable(resolveOptions({}, {})).split('\n');
    const column = lines[0]?.indexOf('origin') ?? 0;

    expect(lines).toHaveLength(Object.keys(DEFAULTS).length + 2);
    for (const line of lines) expect(line.slice(column - 2)).toMatch(/^ {2}\S/);
  });
});
