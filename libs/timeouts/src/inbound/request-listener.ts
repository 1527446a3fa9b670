import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { enterScope } from '../core/current-scope.js';
import { exchangeOf } from './exchange-of.js';
import type { FrameworkReply } from './framework-reply.js';
import { HttpExchange } from './http-exchange.js';
import type { Inbound } from './inbound.js';
import { meterBody } from './metered-bodies.js';
import { closeWithConnection } from './pipelined.js';

const inboundOfServer = new WeakMap<Server, Inbound>();

/**
 * Opens a scope around everything the server does for a request: `emit` is the one place that
 * middleware, body parsers, guards and handlers all run inside of, whatever the framework.
 * @returns false when this server's requests have scopes already.
 */
export function openScopesFor(server: Server, inbound: Inbound): boolean {
  if (inboundOfServer.has(server)) return false;
  inboundOfServer.set(server, inbound);
  const emit = server.emit as (this: Server, event: string, ...args: unknown[]) => boolean;
  const isOverdue = (error: unknown, socket: unknown): boolean =>
    inbound.headers.takes(error as NodeJS.ErrnoException, socket as Socket);
  const deliver = (event: string, req: IncomingMessage, res: ServerResponse): boolean =>
    emit.call(server, event, req, res);
  server.emit = function (
    this: Server,
    event: string,
    req: IncomingMessage,
    res: ServerResponse,
    ...more: unknown[]
  ): boolean {
    if (event !== 'request' && event !== 'checkContinue' && event !== 'checkExpectation') {
      if (event === 'clientError' && isOverdue(req, res)) return true;
      return emit.call(this, event, req, res, ...more);
    }
    let exchange = exchangeOf(res);
    if (!exchange) {
      if (inbound.door.takes(req, res)) return true;
      exchange = new HttpExchange(inbound, req, res);
      meterBody(exchange, event);
      inbound.responseRate?.wake();
    }
    if (res.socket === null) closeWithConnection(res, req.socket);
    return enterScope(exchange.scope, deliver, event, req, res);
  } as Server['emit'];
  return true;
}

type RequestHook = (
  this: unknown,
  request: { raw: IncomingMessage },
  reply: FrameworkReply,
  done: () => void,
) => unknown;

/** What is used of Nest's Fastify adapter. */
export interface FastifyHooks {
  setOnRequestHook(hook: RequestHook): void;
  /** The one that was set before. */
  readonly onRequestHook?: RequestHook;
}

/**
 * Notes Fastify's reply, and opens a scope for what `inject()` sends past the server. The adapter's
 * own hook is the only one that comes before middleware, whatever was registered first.
 */
export function openScopesInFastify(adapter: FastifyHooks, inbound: Inbound): void {
  let next = adapter.onRequestHook;
  adapter.setOnRequestHook((request, reply, done) => {
    const known = exchangeOf(reply.raw);
    if (!known && inbound.door.takes(request.raw, reply.raw)) return reply.hijack();
    const exchange = known ?? new HttpExchange(inbound, request.raw, reply.raw);
    exchange.reply = reply;
    if (!next) return known ? done() : enterScope(exchange.scope, done);
    const proceed = () => next!.call(adapter, request, reply, done);
    return known ? proceed() : enterScope(exchange.scope, proceed);
  });
  // There is room for one; what others set comes after it.
  adapter.setOnRequestHook = (hook) => (next = hook);
}
