import { INTERCEPTORS_METADATA } from '@nestjs/common/internal';
import type { ModulesContainer } from '@nestjs/core';
import { MetadataScanner } from '@nestjs/core';
import { readMarker } from '../policy/decorators.js';
import type { RoutePolicy } from '../policy/route-policy.js';
import { currentMessage } from './current-message.js';
import { MessageInterceptor } from './message.interceptor.js';
import { disguise } from './route-target.js';
import { GRPC } from './rpc-server.js';

// What the decorators of packages that are not loaded here leave.
const PATTERN_HANDLER = 'microservices:handler_type';
const PATTERNS = 'microservices:pattern';
const TRANSPORT = 'microservices:transport';
const SUBSCRIPTION = 'websockets:message_mapping';
const SUBSCRIBED = 'message';
const GATEWAY = 'websockets:is_gateway';

type Handler = (this: unknown, ...args: unknown[]) => unknown;
type Marker = ReturnType<typeof readMarker>;

/** A method that handles messages, as it was found at boot. */
export interface MessageHandler {
  readonly method: Function;
  readonly owner: Function;
  readonly patterns: readonly unknown[];
  readonly policy: RoutePolicy;
}

/** The methods of an application that handle messages. */
export interface MessageHandlers {
  readonly ofServices: readonly MessageHandler[];
  readonly ofGateways: readonly MessageHandler[];
  readonly gateways: readonly Function[];
}

type ResolvePolicy = (onClass: Marker, onMethod: Marker, where: string) => RoutePolicy;

const bounded = new WeakSet<Function>();
const interceptor = new MessageInterceptor();

/**
 * Bounds the methods of controllers and gateways that handle messages. It is their prototypes that
 * are changed, because Nest takes the methods of gateways from there, and before any instance is
 * looked at; what is put there asks for the current message, and so serves any application.
 */
export function boundMessageHandlers(
  modules: ModulesContainer,
  resolvePolicy: ResolvePolicy,
): MessageHandlers {
  const scanner = new MetadataScanner();
  const found = (owner: Function, mark: string, key: string): MessageHandler[] =>
    scanner.getAllMethodNames(owner.prototype as object).flatMap((name) => {
      const method = (owner.prototype as Record<string, Handler>)[name]!;
      if (!Reflect.hasMetadata(mark, method)) return [];
      // No scope is opened for its calls, and an interceptor is not free.
      if (Reflect.getMetadata(TRANSPORT, method) === GRPC) return [];
      const patterns = [Reflect.getMetadata(key, method) as unknown].flat();
      const where = `${patterns.map(describe).join(', ')} (${owner.name}.${name})`;
      const policy = resolvePolicy(readMarker(owner), readMarker(method), where);
      return [{ method: bound(owner, name, method), owner, patterns, policy }];
    });
  const controllers = classesIn(modules, 'controllers');
  const gateways = classesIn(modules, 'providers').filter((type) =>
    Reflect.hasMetadata(GATEWAY, type),
  );
  return {
    ofServices: controllers.flatMap((type) => found(type, PATTERN_HANDLER, PATTERNS)),
    ofGateways: gateways.flatMap((type) => found(type, SUBSCRIPTION, SUBSCRIBED)),
    gateways,
  };
}

function classesIn(modules: ModulesContainer, kind: 'controllers' | 'providers'): Function[] {
  const classes = new Set<Function>();
  for (const module of modules.values()) {
    for (const { metatype } of module[kind].values()) {
      if (typeof metatype === 'function' && metatype.prototype) classes.add(metatype);
    }
  }
  return [...classes];
}

function bound(owner: Function, name: string, method: Handler): Handler {
  if (bounded.has(method)) return method;
  const wrapper: Handler = function (...args) {
    const message = currentMessage();
    return message ? message.run(method, this, args) : method.apply(this, args);
  };
  disguise(wrapper, method);
  const declared = Reflect.getMetadata(INTERCEPTORS_METADATA, method) as unknown[] | undefined;
  Reflect.defineMetadata(INTERCEPTORS_METADATA, [interceptor, ...(declared ?? [])], wrapper);
  bounded.add(wrapper);
  Object.defineProperty(owner.prototype, name, {
    value: wrapper,
    configurable: true,
    enumerable: false,
    writable: true,
  });
  return wrapper;
}

export function describe(pattern: unknown): string {
  return typeof pattern === 'string' ? pattern : JSON.stringify(pattern);
}
