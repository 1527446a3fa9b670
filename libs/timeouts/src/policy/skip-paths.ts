import { refuse } from './configuration-error.js';

const ALLOWED = "a path of whole segments such as '/v1/chat', without patterns and not '/'";
const PATTERN = /[*?#{}]|\/:/;
const ROUTE_WILDCARD = /[*?(){}]/;

/** Entries with one leading and no trailing slash, each once. Throws for `what` on a bad entry. */
export function parseSkipPaths(value: unknown, what: string): readonly string[] {
  if (!Array.isArray(value)) return refuse(what, value, `a list of paths such as ['/v1/chat']`);
  return Object.freeze([...new Set(value.map((entry) => normalize(entry, what)))]);
}

/**
 * A predicate over raw request URLs (query string included): true when the path is one of `paths`
 * or lies under one, by whole segments. Upper and lower case differ, and percent-encoding is not
 * decoded: entries are written the way they are sent.
 *
 * @example
 * const skips = createSkipMatcher(['/v1/chat']);
 * skips('/v1/chat/stream?x=1'); // true
 * skips('/v1/chatter'); // false
 */
export function createSkipMatcher(paths: readonly string[]): (url: string) => boolean {
  if (paths.length === 0) return () => false;
  return (url) => paths.some((path) => url.startsWith(path) && endsSegment(url, path.length));
}

/**
 * The entries of `paths` under which no route lies, so that they are probably a typing error.
 * `routes` are route paths with their prefix and version; parameters and wildcards match anything.
 */
export function unmatchedSkipPaths(paths: readonly string[], routes: Iterable<string>): string[] {
  const patterns = Array.from(routes, segments);
  return paths.filter((path) => !patterns.some((route) => reaches(segments(path), route)));
}

function normalize(entry: unknown, what: string): string {
  if (typeof entry !== 'string') return refuse(`an entry of ${what}`, entry, ALLOWED);
  const path = `/${segments(entry.trim()).join('/')}`;
  return path === '/' || PATTERN.test(path) ? refuse(`an entry of ${what}`, entry, ALLOWED) : path;
}

function segments(path: string): string[] {
  return path.split('/').filter(Boolean);
}

function endsSegment(url: string, end: number): boolean {
  const next = url[end];
  return next === undefined || next === '/' || next === '?' || next === '#';
}

function reaches(entry: readonly string[], route: readonly string[]): boolean {
  for (const [index, segment] of entry.entries()) {
    const part = route[index];
    if (part === undefined) return false;
    if (part === segment || part.includes(':')) continue;
    const [literal = ''] = part.split(ROUTE_WILDCARD);
    return literal !== part && segment.startsWith(literal);
  }
  return true;
}
