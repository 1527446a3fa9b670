import type { ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { tellIfLate } from '../core/run-scoped.js';
import { exchangeOf } from './exchange-of.js';
import type { FrameworkReply } from './framework-reply.js';

type Method = (...args: unknown[]) => unknown;

/** Makes an answer that was written in the place of the handler's own the last one. */
export function ignoreWritesAfterEnd(res: ServerResponse): void {
  const end = res.end as Method;
  res.end = function (this: ServerResponse, ...args: unknown[]) {
    end.apply(this, args);
    if (this.writableEnded) ignoreLateWrites(this);
    return this;
  } as ServerResponse['end'];
}

/**
 * Whatever late work still does to the response happens to nobody. Without this, a write from one of
 * its timers is an uncaught exception and ends the process.
 */
export function ignoreLateWrites(res: ServerResponse): void {
  if (res.write === IGNORED['write']) return;
  Object.setPrototypeOf(res, lateVersionOf(Object.getPrototypeOf(res) as object));
  for (const name of METHODS)
    if (Object.hasOwn(res, name)) Object.assign(res, { [name]: IGNORED[name] });
  res.on('pipe', release);
  const reply = exchangeOf(res)?.reply;
  if (reply) reply.send = sendLate;
}

/** Says that it is done. */
export const settle: Method = function (this: ServerResponse, ...args) {
  const callback = args.findLast((arg) => typeof arg === 'function') as (() => void) | undefined;
  if (callback) process.nextTick(callback);
  return this;
};

const endLate: Method = function (this: ServerResponse, ...args) {
  noteLate(this);
  return settle.apply(this, args);
};

/** Fastify's own would log a warning. */
function sendLate(this: FrameworkReply): FrameworkReply {
  noteLate(this.raw);
  return this;
}

/** Work that no promise tells of, such as a timer's, shows by this that it has gone on until now. */
export function noteLate(res: ServerResponse, error?: unknown): void {
  if (res.end === settle) return;
  res.end = settle as ServerResponse['end'];
  const exchange = exchangeOf(res);
  if (exchange && !exchange.isHandling) tellIfLate(exchange.scope, error);
}

/** Nothing would hold a source back that is read for nobody. */
function release(this: ServerResponse, source: Readable): void {
  source.unpipe(this);
  source.destroy();
  noteLate(this);
}

const stay: Method = function (this: ServerResponse) {
  return this;
};

const accept: Method = function (this: ServerResponse, ...args) {
  settle.apply(this, args);
  return true;
};

const IGNORED: Record<string, Method> = {
  setHeader: stay,
  setHeaders: stay,
  appendHeader: stay,
  removeHeader: stay,
  writeHead: stay,
  flushHeaders: stay,
  addTrailers: stay,
  writeContinue: settle,
  writeEarlyHints: settle,
  write: accept,
  end: endLate,
};

const METHODS = Object.keys(IGNORED);

const lateVersions = new WeakMap<object, object>();

/** One prototype for all late responses of a kind; a dozen methods on each of them cost far more. */
function lateVersionOf(prototype: object): object {
  let late = lateVersions.get(prototype);
  if (!late) {
    late = Object.assign(Object.create(prototype) as object, IGNORED);
    lateVersions.set(prototype, late);
  }
  return late;
}
