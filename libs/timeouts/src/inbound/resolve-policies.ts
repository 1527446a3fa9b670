import { TimeoutsConfigurationError } from '../policy/configuration-error.js';
import type { TimeoutsMarker } from '../policy/decorators.js';
import type { RoutePolicy } from '../policy/route-policy.js';
import { defaultRoutePolicy, resolveRoutePolicy } from '../policy/route-policy.js';
import type { ResolvedOptions } from '../policy/timeouts-options.js';

/** Gives the policy that the markers of a class and its method add up to. */
export type ResolvePolicy = (
  onClass: TimeoutsMarker | undefined,
  onMethod: TimeoutsMarker | undefined,
  where: string,
) => RoutePolicy;

/**
 * Lets `collect` ask for the policies of many methods.
 * @throws TimeoutsConfigurationError listing every marker that cannot work.
 */
export function resolvePolicies<T>(
  options: ResolvedOptions,
  collect: (resolvePolicy: ResolvePolicy) => T,
): T {
  const defaults = defaultRoutePolicy(options);
  const faults: string[] = [];
  const result = collect((onClass, onMethod, where) => {
    if (!onClass && !onMethod) return defaults;
    try {
      return resolveRoutePolicy(options, onClass, onMethod, where);
    } catch (error) {
      if (!(error instanceof TimeoutsConfigurationError)) throw error;
      faults.push(...error.faults);
      return defaults;
    }
  });
  if (faults.length > 0) throw new TimeoutsConfigurationError(faults);
  return result;
}
