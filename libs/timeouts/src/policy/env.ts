import type { Attempt } from './configuration-error.js';
import { Faults, refuse } from './configuration-error.js';
import type { BudgetFacts } from './budgets-check.js';
import type { OptionPath } from './defaults.js';
import { nestValues } from './read-options.js';
import { parseSkipPaths } from './skip-paths.js';
import type { TimeoutsOptions } from './timeouts-options.js';

interface Variable {
  /** The options it sets, by path. */
  readonly sets: readonly OptionPath[];
  readonly unit: keyof typeof SCALE | 'paths';
  readonly zero?: true;
}

interface FromVariable {
  /** In the form an option takes: milliseconds, bytes per second, `'none'`, a list. */
  readonly value: unknown;
  readonly variable: string;
}

const SCALE = { seconds: 1_000, milliseconds: 1, 'bytes per second': 1 } as const;
const OUTBOUND = ['outbound.headers', 'outbound.bodyIdle'] as const;

/** Every variable that sets an option, with the options it sets and its unit. */
export const VARIABLES: Readonly<Record<string, Variable>> = {
  REQUEST_HEADERS_TIMEOUT_SECONDS: { sets: ['headers'], unit: 'seconds' },
  REQUEST_BODY_TIMEOUT_SECONDS: { sets: ['body.idle'], unit: 'seconds' },
  REQUEST_BODY_MIN_RATE_BYTES: { sets: ['body.minRate'], unit: 'bytes per second' },
  REQUEST_BODY_GRACE_SECONDS: { sets: ['body.grace'], unit: 'seconds' },
  REQUEST_BODY_TOTAL_TIMEOUT_SECONDS: { sets: ['body.total'], unit: 'seconds' },
  REQUEST_TIMEOUT_SECONDS: { sets: ['handler'], unit: 'seconds' },
  RESPONSE_MIN_RATE_BYTES: { sets: ['response.minRate'], unit: 'bytes per second' },
  RESPONSE_GRACE_SECONDS: { sets: ['response.grace'], unit: 'seconds' },
  HTTP_CLIENT_TIMEOUT_SECONDS: { sets: OUTBOUND, unit: 'seconds' },
  DB_STATEMENT_TIMEOUT_MS: { sets: ['statement'], unit: 'milliseconds' },
  JOB_DEFAULT_TIMEOUT_SECONDS: { sets: ['job'], unit: 'seconds' },
  WEBHOOK_DELIVERY_TIMEOUT_SECONDS: { sets: ['webhook'], unit: 'seconds' },
  SHUTDOWN_GRACE_PERIOD_SECONDS: { sets: ['shutdown.grace'], unit: 'seconds' },
  SHUTDOWN_READINESS_DELAY_SECONDS: {
    sets: ['shutdown.readinessDelay'],
    unit: 'seconds',
    zero: true,
  },
  SHUTDOWN_QUIET_PERIOD_SECONDS: { sets: ['shutdown.quiet'], unit: 'seconds', zero: true },
  REQUEST_TIMEOUT_SKIP_PATHS: { sets: ['skipPaths'], unit: 'paths' },
};

const FACTS: Readonly<Record<string, keyof BudgetFacts>> = {
  TERMINATION_GRACE_PERIOD_SECONDS: 'terminationGraceMs',
  LOAD_BALANCER_IDLE_TIMEOUT_SECONDS: 'loadBalancerIdleMs',
};

/**
 * The options that environment variables set, as in the table of the README. Values are plain
 * decimal numbers (`30`, `0.5`) or `none` for no limit; white space around them and empty variables
 * are ignored. The module reads the variables by itself: this is for code that wants to look at
 * them, or to set options aside from another environment.
 *
 * @throws TimeoutsConfigurationError that lists every variable that cannot be read.
 * @example
 * optionsFromEnv({ REQUEST_TIMEOUT_SECONDS: '0.5' }); // { handler: 500 }
 */
export function optionsFromEnv(env: NodeJS.ProcessEnv): TimeoutsOptions {
  const faults = new Faults();
  const values = readVariables(env, faults.attempt);
  faults.throwIfAny();
  const pairs = Array.from(values, ([path, { value }]): [string, unknown] => [path, value]);
  return nestValues(pairs, (path) => path);
}

/**
 * What the environment says about the world around the process, for the check of the budgets.
 *
 * @throws TimeoutsConfigurationError that lists every variable that cannot be read.
 */
export function factsFromEnv(env: NodeJS.ProcessEnv): BudgetFacts {
  const faults = new Faults();
  const facts = readFacts(env, faults.attempt);
  faults.throwIfAny();
  return facts;
}

/** Option path → value and the variable it came from. */
export function readVariables(
  env: NodeJS.ProcessEnv,
  attempt: Attempt,
): Map<OptionPath, FromVariable> {
  const values = new Map<OptionPath, FromVariable>();
  for (const [variable, { sets, unit, zero }] of Object.entries(VARIABLES)) {
    const text = readVariable(variable, env);
    if (text === undefined) continue;
    const value = attempt(() =>
      unit === 'paths'
        ? parseSkipPaths(text.split(/[\s,]+/).filter(Boolean), variable)
        : parseNumber(text, variable, unit, zero),
    );
    if (value !== undefined) for (const path of sets) values.set(path, { value, variable });
  }
  return values;
}

/** Whether `name` is one of the variables that are read here, or says which profile applies. */
export function isKnownVariable(name: string): boolean {
  return Object.hasOwn(VARIABLES, name) || Object.hasOwn(FACTS, name) || name === 'APP_ENV';
}

/** The facts as far as they can be read. */
export function readFacts(env: NodeJS.ProcessEnv, attempt: Attempt): BudgetFacts {
  const facts: [keyof BudgetFacts, number | 'none'][] = [];
  for (const [variable, fact] of Object.entries(FACTS)) {
    const text = readVariable(variable, env);
    const value = text && attempt(() => parseNumber(text, variable, 'seconds'));
    if (value && value !== 'none') facts.push([fact, value]);
  }
  return Object.fromEntries(facts);
}

/** A variable without the white space around it; undefined when it is unset or empty. */
export function readVariable(
  name: string,
  env: NodeJS.ProcessEnv = processEnvironment(),
): string | undefined {
  return env[name]?.trim() || undefined;
}

function parseNumber(
  text: string,
  variable: string,
  unit: keyof typeof SCALE,
  zero = false,
): number | 'none' {
  if ((text === 'none' || text === 'Infinity') && !zero) return 'none';
  // Number() also reads '1e3', '0x10' and '': nobody means those in a variable.
  const scaled = /^\d*\.?\d+$/.test(text) ? Number(text) * SCALE[unit] : NaN;
  // Undo the noise of the multiplication: 1.001 s is 1000.9999999999999 ms.
  const value = Number(scaled.toPrecision(12));
  if (Number.isFinite(value) && (value > 0 || (value === 0 && zero))) return value;
  const range = zero ? ', 0 or more' : " above 0, or 'none' for no limit";
  return refuse(variable, text, `a plain decimal number of ${unit}${range}`);
}

/** The variables of this process. */
export function processEnvironment(): NodeJS.ProcessEnv {
  return process.env;
}
