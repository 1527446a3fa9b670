import 'reflect-metadata';
import type { DeadlineSpec } from './policy-options.js';

/** A limit that `@SkipTimeout` can lift. */
export type SkippableLayer = 'handler' | 'body';

/** What the decorators left on a class or method. */
export interface TimeoutsMarker {
  /** In the order of application: the decorator written on top comes last. */
  readonly specs: readonly DeadlineSpec[];
  readonly skip: readonly SkippableLayer[];
}

/** The one metadata key, read by {@link readMarker}. */
export const TIMEOUTS_METADATA = 'nestjs-timeouts';

/**
 * Sets the limits of a method, or of all methods of a class: of a controller, gateway, resolver,
 * microservice handler, queue processor, cron or interval method, or any provider. A number or
 * string is the handler timeout, measured from the start of the request, message or tick; at the
 * limit the work is cancelled and an HTTP request is answered 504. Method beats class beats the
 * module's options, field by field. What cannot work is reported when the application starts, with
 * the route's name.
 *
 * @example
 * @Deadline({ handler: '2m', statement: '90s' })
 * @Get('report')
 * report() {}
 */
export function Deadline(spec: DeadlineSpec): MethodDecorator & ClassDecorator {
  return mark('@Deadline', ({ specs, skip }) => ({ specs: [...specs, spec], skip }));
}

/**
 * Lifts the handler timeout of a method or class, or the layers that are named. The client leaving
 * and the application going down still cancel the work. On the same target it beats `@Deadline`; a
 * `@Deadline` on a method beats a class's `@SkipTimeout`.
 *
 * @example
 * @SkipTimeout('body')
 * @Post('upload')
 * upload() {}
 */
export function SkipTimeout(...layers: SkippableLayer[]): MethodDecorator & ClassDecorator {
  const lifted: readonly SkippableLayer[] = layers.length > 0 ? layers : ['handler'];
  return mark('@SkipTimeout', ({ specs, skip }) => ({ specs, skip: [...skip, ...lifted] }));
}

/**
 * The marker of a method (pass the function) or class. A class without one has its parent class's; a
 * class with one of its own does not look further.
 */
export function readMarker(target: object): TimeoutsMarker | undefined {
  return Reflect.getMetadata(TIMEOUTS_METADATA, target) as TimeoutsMarker | undefined;
}

function mark(
  name: string,
  extend: (marker: TimeoutsMarker) => TimeoutsMarker,
): MethodDecorator & ClassDecorator {
  return (target: object, key?: string | symbol, descriptor?: { value?: unknown }): void => {
    const marked = key === undefined ? target : descriptor?.value;
    if (typeof marked !== 'function') {
      const owner = typeof target === 'function' ? target.name : target.constructor.name;
      throw new TypeError(
        `${name} on ${owner}.${String(key)}: allowed on methods and classes only`,
      );
    }
    const own = Reflect.getOwnMetadata(TIMEOUTS_METADATA, marked) as TimeoutsMarker | undefined;
    const marker = extend(own ?? { specs: [], skip: [] });
    Reflect.defineMetadata(TIMEOUTS_METADATA, Object.freeze(marker), marked);
  };
}
