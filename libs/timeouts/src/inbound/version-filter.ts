import type { IncomingMessage, ServerResponse } from 'node:http';

type Filtered = (req: unknown, res: unknown, next: unknown) => unknown;
type IsVersion = (req: IncomingMessage, res: ServerResponse) => boolean;

const IS_VERSION = Symbol('nestjs-timeouts.version');

/** The part of an HTTP adapter that limits handlers to a version. */
export interface VersionedAdapter {
  applyVersionFilter(handler: Filtered, version: never, options: never): Filtered;
}

/** Makes the filters by version that an adapter puts around handlers answer without the handler. */
export function exposeVersionFilters(adapter: VersionedAdapter): void {
  const apply = adapter.applyVersionFilter;
  adapter.applyVersionFilter = function (handler, version, options) {
    const filtered = apply.call(this, handler, version, options);
    const probe = apply.call(this, () => true, version, options);
    const isVersion: IsVersion = (req, res) => probe(req, res, () => false) === true;
    // A property, since Nest copies those to the functions that it puts around this one.
    return Object.assign(filtered, { [IS_VERSION]: isVersion });
  };
}

/** Whether a request is for the version of `handler`; undefined when that is limited to none. */
export function versionFilterOf(handler: Function): IsVersion | undefined {
  return (handler as { [IS_VERSION]?: IsVersion })[IS_VERSION];
}
