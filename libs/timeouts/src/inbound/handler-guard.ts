import type { NestInterceptor } from '@nestjs/common';
import { RequestMethod } from '@nestjs/common';
import {
  INTERCEPTORS_METADATA,
  METHOD_METADATA,
  PATH_METADATA,
  ROUTE_ARGS_METADATA,
  RouteParamtypes,
  SSE_METADATA,
} from '@nestjs/common/internal';
import { MetadataScanner } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import { readMarker } from '../policy/decorators.js';
import type { RoutePolicy } from '../policy/route-policy.js';
import { currentExchange } from './current-exchange.js';
import { silenceRoute } from './gone-clients.js';
import { attachTarget, disguise, RouteTarget } from './route-target.js';

type Handler = (this: unknown, ...args: unknown[]) => unknown;
type Marker = ReturnType<typeof readMarker>;

/** How a guarded route is set up. */
export interface GuardSettings {
  /** The policy that a route's markers add up to; collects their faults. */
  resolvePolicy(onClass: Marker, onMethod: Marker, where: string): RoutePolicy;
  /** Put around every handler where interceptors are to enforce. */
  readonly interceptor?: NestInterceptor;
}

const originals = new WeakMap<Function, Handler>();

/**
 * Bounds the handlers of all controllers: a wrapper that asks the current scope costs a fraction of
 * an interceptor chain, and never starts a handler whose request is over.
 */
export function guardControllers(controllers: InstanceWrapper[], settings: GuardSettings): void {
  const scanner = new MetadataScanner();
  for (const controller of controllers) {
    const { instance, metatype } = controller as { instance: object; metatype: Function };
    if (!instance || !metatype) continue;
    for (const name of scanner.getAllMethodNames(metatype.prototype)) {
      const found = metatype.prototype[name] as Handler;
      if (!Reflect.hasMetadata(PATH_METADATA, found)) continue;
      const original = originals.get(found) ?? found;
      const where = describeRoute(metatype, name, original);
      const policy = settings.resolvePolicy(readMarker(metatype), readMarker(original), where);
      const guarded = guard(original, settings.interceptor);
      attachTarget(guarded, targetFor(metatype, name, guarded, policy));
      install(instance, name, guarded);
      // Nest makes a new instance per request here, so that only the prototype reaches them all.
      if (!controller.isDependencyTreeStatic()) {
        install(metatype.prototype, name, guard(original, settings.interceptor));
      }
    }
  }
}

function guard(original: Handler, interceptor: NestInterceptor | undefined): Handler {
  const guarded: Handler = function (...args) {
    const exchange = currentExchange();
    return exchange ? exchange.handle(original, this, args) : original.apply(this, args);
  };
  disguise(guarded, original);
  originals.set(guarded, original);
  silenceRoute(guarded);
  if (interceptor) {
    const declared = Reflect.getMetadata(INTERCEPTORS_METADATA, original) as unknown[] | undefined;
    Reflect.defineMetadata(INTERCEPTORS_METADATA, [interceptor, ...(declared ?? [])], guarded);
  }
  return guarded;
}

function install(owner: object, name: string, handler: Handler): void {
  Object.defineProperty(owner, name, {
    value: handler,
    configurable: true,
    enumerable: false,
    writable: true,
  });
}

function targetFor(
  controller: Function,
  name: string,
  handler: Handler,
  policy: RoutePolicy,
): RouteTarget {
  const args = (Reflect.getMetadata(ROUTE_ARGS_METADATA, controller, name) ?? {}) as object;
  const writesResponse = Object.keys(args).some((key) => RESPONSE_ARGS.has(key.split(':')[0]!));
  const isEventStream = Reflect.hasMetadata(SSE_METADATA, handler);
  return new RouteTarget(controller, handler, policy, isEventStream, writesResponse);
}

const RESPONSE_ARGS = new Set([String(RouteParamtypes.RESPONSE), String(RouteParamtypes.NEXT)]);

function describeRoute(controller: Function, name: string, handler: Function): string {
  const method = RequestMethod[Reflect.getMetadata(METHOD_METADATA, handler) as number];
  const paths = [
    Reflect.getMetadata(PATH_METADATA, controller),
    Reflect.getMetadata(PATH_METADATA, handler),
  ];
  const path = paths
    .flat()
    .filter((part) => part && part !== '/')
    .join('/');
  return `${method} /${path.replace(/^\/|\/(?=\/)/g, '')} (${controller.name}.${name})`;
}
