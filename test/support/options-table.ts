import { DEFAULTS } from '../../libs/timeouts/src/policy/defaults.js';
import { VARIABLES } from '../../libs/timeouts/src/policy/env.js';
import { formatValue } from '../../libs/timeouts/src/policy/value-kinds.js';
import type { Table } from './markdown.js';

export const OPTION_COLUMNS = ['option', 'variable', 'production', 'development'] as const;
export const LAYERS =
  /^(headers|body|handler|response|outbound|pool|statement|job|webhook|caller|shutdown)\b/;

/** The rows the README's options table must have, spelled like the table that is logged at boot. */
export const DEFAULT_ROWS: readonly string[] = Object.entries(DEFAULTS).map(
  ([option, { kind, production, development }]) =>
    optionRow({
      option,
      variable: variableOf(option),
      production: formatValue(kind, production),
      development: formatValue(kind, development),
    }),
);

export function optionRow(row: Table[number]): string {
  return OPTION_COLUMNS.map((column) => row[column]).join(' | ');
}

function variableOf(option: string): string {
  const variables = Object.entries(VARIABLES);
  return variables.find(([, { sets }]) => sets.some((path) => path === option))?.[0] ?? '';
}
