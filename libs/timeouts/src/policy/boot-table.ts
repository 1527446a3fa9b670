import { DEFAULTS } from './defaults.js';
import type { RoutePolicyPatch } from './policy-patch.js';
import { POLICY_KINDS } from './policy-patch.js';
import type { ResolvedOptions } from './resolved-options.js';
import type { Kind } from './value-kinds.js';
import { formatValue, resolvedPath } from './value-kinds.js';

type Row = readonly [option: string, value: string, origin: string];

/**
 * Every option with its value and where that came from, one aligned line each, for the log.
 *
 * @example
 * logger.log(`Timeouts\n${formatBootTable(options)}`);
 */
export function formatBootTable(options: ResolvedOptions): string {
  const rows: Row[] = [
    ['option', 'value', 'origin'],
    ['profile', options.profile, options.origins.get('profile') ?? ''],
    ...(options.preset ? [['preset', options.preset, 'option'] as const] : []),
    ...Object.entries(DEFAULTS).map(([path, { kind }]): Row => [
      path,
      show(options, path, kind),
      options.origins.get(path) ?? '',
    ]),
    ...Array.from(options.policies, ([name, patch]): Row => [
      `policies.${name}`,
      showPolicy(patch),
      'option',
    ]),
  ];
  const width = (column: 0 | 1): number => Math.max(...rows.map((row) => row[column].length));
  const [first, second] = [width(0), width(1)];
  return rows
    .map(([option, value, origin]) => `${option.padEnd(first)}  ${value.padEnd(second)}  ${origin}`)
    .join('\n');
}

function showPolicy(patch: RoutePolicyPatch): string {
  const fields = Object.entries(POLICY_KINDS).map(([path, kind]) => {
    const value = show(patch, path, kind);
    return value && `${path} ${value}`;
  });
  return fields.filter(Boolean).join(', ') || 'as the defaults';
}

function show(holder: object, path: string, kind: Kind): string {
  const keys = resolvedPath(path, kind).split('.');
  const value = keys.reduce<unknown>((inner, key) => inner?.[key as never], holder);
  return value === undefined ? '' : formatValue(kind, value);
}
