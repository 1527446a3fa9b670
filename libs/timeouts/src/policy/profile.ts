import { refuse } from './configuration-error.js';
import { readVariable } from './env.js';

/** Which column of the defaults applies. */
export type Profile = 'production' | 'development';

const PROFILES: ReadonlyMap<string, Profile> = new Map([
  ['production', 'production'],
  ['prod', 'production'],
  ['development', 'development'],
  ['dev', 'development'],
  ['local', 'development'],
  ['test', 'development'],
  ['staging', 'development'],
  ['preview', 'development'],
  ['uat', 'development'],
]);

/**
 * The profile that `APP_ENV`, or else `NODE_ENV`, names: `production` and `prod` are production;
 * `development`, `dev`, `local`, `test`, `staging`, `preview` and `uat` are development, and so is
 * neither variable being set. Case and white space do not matter.
 *
 * @throws TimeoutsConfigurationError for any other name: a typo must not pick the wrong limits.
 * @example
 * detectProfile({ APP_ENV: 'Prod' }); // 'production'
 */
export function detectProfile(env?: NodeJS.ProcessEnv): Profile {
  return findProfile(env).profile;
}

/** The profile and the variable that named it, if one did. */
export function findProfile(env?: NodeJS.ProcessEnv): { profile: Profile; variable?: string } {
  for (const variable of ['APP_ENV', 'NODE_ENV']) {
    const name = readVariable(variable, env);
    if (name === undefined) continue;
    const profile = PROFILES.get(name.toLowerCase());
    return {
      profile: profile ?? refuse(variable, name, [...PROFILES.keys()].join(', ')),
      variable,
    };
  }
  return { profile: 'development' };
}

/**
 * One of two values by profile: `prod` in production, `nonprod` otherwise. The environment is the
 * process's own unless another is given.
 *
 * @throws TimeoutsConfigurationError for an unknown environment name, as {@link detectProfile} does.
 * @example
 * const timeout = pick({ prod: '30s', nonprod: '15s' });
 */
export function pick<P, N = P>(
  values: { readonly prod: P; readonly nonprod: N },
  env?: NodeJS.ProcessEnv,
): P | N {
  return detectProfile(env) === 'production' ? values.prod : values.nonprod;
}
