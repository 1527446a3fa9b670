import type { Kind } from './value-kinds.js';

interface Default {
  readonly kind: Kind;
  readonly production: unknown;
  readonly development: unknown;
}

const RATE = { kind: 'rate', production: 240, development: 240 } as const;
const UNLIMITED = { kind: 'duration', production: Infinity, development: Infinity } as const;
const OFF = { kind: 'flag', production: false, development: false } as const;
const ON = { kind: 'flag', production: true, development: true } as const;

/**
 * Every option with its kind and its default in both profiles: milliseconds (`Infinity` for none),
 * bytes per second for rates, parts of one for shares. The one home of a default.
 */
export const DEFAULTS = {
  headers: duration(20_000),
  'body.idle': duration(15_000, 30_000),
  'body.minRate': RATE,
  'body.grace': duration(5_000),
  'body.total': UNLIMITED,
  handler: duration(30_000, 15_000),
  'stream.idle': UNLIMITED,
  'stream.total': UNLIMITED,
  'response.minRate': RATE,
  'response.grace': duration(5_000),
  'outbound.connect': duration(10_000),
  'outbound.headers': duration(10_000),
  'outbound.bodyIdle': duration(10_000),
  'outbound.total': UNLIMITED,
  'outbound.patchGlobalFetch': ON,
  statement: UNLIMITED,
  job: UNLIMITED,
  webhook: duration(10_000),
  'shutdown.grace': duration(20_000, 5_000),
  'shutdown.readinessDelay': { kind: 'delay', production: 5_000, development: 0 },
  'shutdown.quiet': { kind: 'delay', production: 0, development: 0 },
  'shedding.inFlight': { kind: 'count', production: Infinity, development: Infinity },
  'shedding.loopDelay': UNLIMITED,
  'shedding.maxShare': { kind: 'share', production: 0.5, development: 0.5 },
  skipPaths: { kind: 'paths', production: [], development: [] },
  enforcement: { kind: 'enforcement', production: 'auto', development: 'auto' },
  backstop: duration(100),
  suspendWhileDebugging: OFF,
  strict: OFF,
} as const satisfies Readonly<Record<string, Default>>;

/** An option that has a default, as it is written in messages and in the boot table. */
export type OptionPath = keyof typeof DEFAULTS;

function duration(production: number, development = production) {
  return { kind: 'duration', production, development } as const;
}
