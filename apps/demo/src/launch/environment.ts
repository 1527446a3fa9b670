import { optionsFromEnv } from 'nestjs-timeouts';
import type { Duration, TimeoutsOptions } from 'nestjs-timeouts';
import { Settings, SettingsError } from '../settings.js';
import { takenPorts } from './ports.js';

const DEFAULT_DRAIN_MS = 25_000;
/** For what comes after the drain: cleanups, hooks, the pool. */
const MARGIN_MS = 10_000;

export interface Environment {
  readonly settings: Settings;
  readonly drainWithinMs: number;
}

/** Reads and checks everything the demo is given, before anything is started. */
export async function readEnvironment(env: NodeJS.ProcessEnv): Promise<Environment> {
  const faults: string[] = [];
  const settings = attempt(faults, () => new Settings(env));
  const options = attempt(faults, () => optionsFromEnv(env));
  if (settings) faults.push(...(await takenPorts(portsOf(settings))));
  if (!settings || !options || faults.length > 0) throw new SettingsError(faults);
  return { settings, drainWithinMs: drainWithinMs(options) };
}

function attempt<T>(faults: string[], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    const known = error as Partial<SettingsError> & Error;
    faults.push(...(known.faults ?? [known.message]));
    return undefined;
  }
}

function portsOf({ port, upstreamPort, upstreamUrl }: Settings): Record<string, number> {
  return upstreamUrl ? { PORT: port } : { PORT: port, UPSTREAM_PORT: upstreamPort };
}

function drainWithinMs({ shutdown = {} }: TimeoutsOptions): number {
  const { grace, readinessDelay, quiet } = shutdown;
  const given = [grace, readinessDelay, quiet].map(toMs);
  return (
    Math.max(
      DEFAULT_DRAIN_MS,
      given.reduce((sum, ms) => sum + ms, 0),
    ) + MARGIN_MS
  );
}

/* `optionsFromEnv` gives milliseconds, or `none`. */
function toMs(duration: Duration | undefined): number {
  if (duration === undefined) return 0;
  return typeof duration === 'number' ? duration : Infinity;
}
