import { formatDuration, parseDelay, parseDuration } from '../core/duration.js';
import { refuse } from './configuration-error.js';
import { PRESETS } from './presets.js';
import { parseSkipPaths } from './skip-paths.js';

/** What sort of value an option takes: how it is read, named and shown. */
export type Kind = keyof typeof PARSERS;

/** The kind of every option of a group of options, by path (`body.idle`). */
export type Kinds = Readonly<Record<string, Kind>>;

const PARSERS = {
  duration: parseDuration,
  delay: parseDelay,
  rate: parseRate,
  count: parseCount,
  share: parseShare,
  flag: parseFlag,
  text: parseText,
  paths: parseSkipPaths,
  status: parseStatus,
  onDisconnect: parseOnDisconnect,
  dictionary: parseDictionary,
  enforcement: oneOf(['auto', 'interceptor']),
  profile: oneOf(['production', 'development']),
  preset: oneOf(Object.keys(PRESETS)),
};

/** Reads `value`, given for `what`; throws when it is not of that kind. */
export function parseValue(kind: Kind, value: unknown, what: string): unknown {
  return PARSERS[kind](value, what);
}

/** Where an option ends up once it is resolved: times are in milliseconds and say so. */
export function resolvedPath(path: string, kind: Kind | undefined): string {
  return kind === 'duration' || kind === 'delay' ? `${path}Ms` : path;
}

/** A resolved value for people. */
export function formatValue(kind: Kind | undefined, value: unknown): string {
  if (kind === 'duration' || kind === 'delay') return formatDuration(value as number);
  if (kind === 'rate') return value === 0 ? 'none' : `${String(value)} B/s`;
  if (kind === 'count') return value === Infinity ? 'none' : String(value);
  if (kind === 'share') return `${Number(((value as number) * 100).toFixed(3))} %`;
  if (Array.isArray(value)) return value.length === 0 ? 'none' : value.join(', ');
  if (isPlainObject(value)) return `cancel after ${formatDuration(value['graceMs'] as number)}`;
  return String(value);
}

/** Whether `value` is an object literal, of whichever realm. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function oneOf(names: readonly string[]) {
  const allowed = names.map((name) => `'${name}'`).join(', ');
  return (value: unknown, what: string): unknown =>
    names.includes(value as string) ? value : refuse(what, value, allowed);
}

function parseRate(value: unknown, what: string): number {
  if (value === 'none') return 0;
  if (typeof value === 'number' && value > 0 && value < Infinity) return value;
  return refuse(what, value, "a number of bytes per second above 0, or 'none' for no minimum");
}

function parseCount(value: unknown, what: string): number {
  if (value === 'none' || value === Infinity) return Infinity;
  if (Number.isInteger(value) && (value as number) > 0) return value as number;
  return refuse(what, value, "a whole number above 0, or 'none' for no limit");
}

function parseShare(value: unknown, what: string): number {
  if (typeof value === 'number' && value > 0 && value <= 1) return value;
  return refuse(what, value, 'a number above 0, up to 1 for all');
}

function parseFlag(value: unknown, what: string): boolean {
  return typeof value === 'boolean' ? value : refuse(what, value, 'true, false');
}

function parseText(value: unknown, what: string): string {
  return typeof value === 'string' && value !== '' ? value : refuse(what, value, 'a text');
}

function parseStatus(value: unknown, what: string): number {
  const inRange = Number.isInteger(value) && (value as number) >= 400 && (value as number) <= 599;
  return inRange ? (value as number) : refuse(what, value, 'an error status from 400 to 599');
}

function parseOnDisconnect(value: unknown, what: string) {
  if (value === 'cancel' || value === 'continue') return value;
  if (isPlainObject(value) && Object.keys(value).join() === 'grace') {
    return { graceMs: parseDuration(value['grace'], `${what}.grace`) };
  }
  return refuse(what, value, "'cancel', 'continue', or { grace: '5s' } to cancel that much later");
}

function parseDictionary(value: unknown, what: string): Record<string, unknown> {
  return isPlainObject(value) ? value : refuse(what, value, 'an object with one entry per name');
}
