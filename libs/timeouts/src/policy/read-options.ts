import type { Attempt } from './configuration-error.js';
import { refuse, TimeoutsConfigurationError } from './configuration-error.js';
import type { Kind, Kinds } from './value-kinds.js';
import { isPlainObject, parseValue } from './value-kinds.js';

/** How an option is called in messages, by its path. */
export type Label = (path: string) => string;

/** The options that a single duration stands for, where a group of options is expected. */
const SHORTHANDS: Readonly<Record<string, readonly string[]>> = {
  body: ['body.idle'],
  outbound: ['outbound.headers', 'outbound.bodyIdle'],
};

/**
 * Reads an object of options into one flat map, path → value, times in milliseconds. Options that
 * are undefined are left out; every refusal, unknown names included, goes through `attempt`.
 */
export function readOptions(
  input: object,
  kinds: Kinds,
  label: Label,
  attempt: Attempt,
): Map<string, unknown> {
  const values = new Map<string, unknown>();
  const read = (path: string, value: unknown, targets: readonly string[]): void => {
    const kind = kindOf(targets[0], kinds);
    if (kind === undefined) return refuseUnknown(path, value, kinds, label);
    const parsed = parseValue(kind, value, label(path));
    for (const target of targets) values.set(target, parsed);
  };
  for (const [path, value, targets] of entriesOf(input, kinds)) {
    if (value !== undefined) attempt(() => read(path, value, targets));
  }
  return values;
}

/** Turns path → value into nested objects, after `rename` has been applied to each path. */
export function nestValues<T extends object>(
  values: Iterable<readonly [string, unknown]>,
  rename: (path: string) => string,
): T {
  const nested: Record<string, unknown> = {};
  for (const [path, value] of values) {
    const [group = '', name] = rename(path).split('.');
    nested[group] =
      name === undefined ? value : { ...(nested[group] as object | undefined), [name]: value };
  }
  return nested as T;
}

function* entriesOf(
  input: object,
  kinds: Kinds,
): Iterable<[path: string, value: unknown, targets: readonly string[]]> {
  for (const [key, value] of Object.entries(input)) {
    if (membersOf(key, kinds).length === 0) yield [key, value, key.includes('.') ? [] : [key]];
    else if (!isPlainObject(value)) yield [key, value, SHORTHANDS[key] ?? []];
    else {
      for (const [name, inner] of Object.entries(value)) {
        yield [`${key}.${name}`, inner, [`${key}.${name}`]];
      }
    }
  }
}

function kindOf(path: string | undefined, kinds: Kinds): Kind | undefined {
  return path !== undefined && Object.hasOwn(kinds, path) ? kinds[path] : undefined;
}

function refuseUnknown(path: string, value: unknown, kinds: Kinds, label: Label): never {
  const members = membersOf(path, kinds);
  if (members.length > 0) refuse(label(path), value, `an object with ${members.join(', ')}`);
  const siblings = path.includes('.') ? membersOf(path.split('.')[0] ?? '', kinds) : [];
  const known = siblings.length > 0 ? siblings : Object.keys(kinds).map((key) => key.split('.')[0]);
  throw new TimeoutsConfigurationError([
    `${label(path)} is not an option; known: ${[...new Set(known)].join(', ')}`,
  ]);
}

function membersOf(group: string, kinds: Kinds): string[] {
  const prefix = `${group}.`;
  const paths = Object.keys(kinds).filter((path) => path.startsWith(prefix));
  return paths.map((path) => path.slice(prefix.length));
}
