import 'reflect-metadata';
import { TIMEOUTS_METADATA } from '../policy/decorators.js';
import type { RoutePolicy } from '../policy/route-policy.js';

/** The handler of a route as it was found at boot. */
export class RouteTarget {
  constructor(
    readonly controller: Function,
    readonly handler: Function,
    readonly policy: RoutePolicy,
    /** An `@Sse()` route. */
    readonly isEventStream: boolean,
    /** The handler answers on the response itself (`@Res()`, `@Next()`). */
    readonly writesResponse: boolean,
  ) {}
}

/**
 * Takes the place of the markers it was resolved from. Nest copies a handler's metadata to the
 * function it registers with the adapter, which is where the target is found again.
 */
export function attachTarget(handler: Function, target: RouteTarget): void {
  Reflect.defineMetadata(TIMEOUTS_METADATA, target, handler);
}

/** The target of a function that Nest registers for a route. */
export function targetOf(handler: Function): RouteTarget | undefined {
  const target: unknown = Reflect.getMetadata(TIMEOUTS_METADATA, handler);
  return target instanceof RouteTarget ? target : undefined;
}

/** Frameworks and other libraries read options of a handler from its metadata and properties. */
export function disguise<F extends Function>(wrapper: F, original: Function): F {
  for (const key of Reflect.getMetadataKeys(original)) {
    Reflect.defineMetadata(key, Reflect.getMetadata(key, original), wrapper);
  }
  Object.defineProperty(wrapper, 'name', { value: original.name, configurable: true });
  return Object.assign(wrapper, original);
}
