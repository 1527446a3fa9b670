import type { ArgumentsHost } from '@nestjs/common';
import { throwError } from 'rxjs';
import type { CancelledError } from '../core/errors.js';
import { isCancelled } from '../core/errors.js';
import { limitBehind } from '../core/limit-errors.js';

/** How a message came: to a microservice, or through a WebSocket. */
export type MessageTransport = 'rpc' | 'ws';

/** What the sender of a message is told when a limit is reached. */
interface MessageProblem {
  readonly status: 'error';
  readonly code: string;
  readonly layer: string;
  readonly message: string;
  readonly timeoutMs?: number;
  readonly elapsedMs: number;
}

type ExceptionClass = new (problem: MessageProblem) => Error;

const exceptions: Partial<Record<MessageTransport, ExceptionClass>> = {};

const loaders: Record<MessageTransport, () => Promise<ExceptionClass>> = {
  rpc: async () => (await import('@nestjs/microservices')).RpcException,
  ws: async () => (await import('@nestjs/websockets')).WsException,
};

/**
 * Loads the exception that Nest's own filters of a transport pass on; for applications that have it.
 * Where it cannot be loaded, the cancellation itself is thrown.
 */
export function loadException(transport: MessageTransport): void {
  if (exceptions[transport]) return;
  loaders[transport]().then(
    (exception) => (exceptions[transport] = exception),
    () => {},
  );
}

/** `error` as Nest's filters pass it on, if it is a limit of ours; itself otherwise. */
export function messageException(transport: MessageTransport, error: CancelledError): Error;
export function messageException(transport: MessageTransport, error: unknown): unknown;
export function messageException(transport: MessageTransport, error: unknown): unknown {
  const ours = oursIn(error);
  const Exception = exceptions[transport];
  if (!ours || !Exception) return error;
  return Object.assign(new Exception(problemFor(ours)), { cause: ours });
}

/**
 * Answers a message that failed outside of its handler, in a guard for instance, in the place of
 * Nest's filter. Gateways have no global filters that could ask for it.
 */
export function answerMessage(error: unknown, host: ArgumentsHost): unknown {
  const ours = host.getType() === 'rpc' ? (oursIn(error) ?? oursIn(causeOf(error))) : undefined;
  if (!ours) throw error;
  return throwError(() => problemFor(ours));
}

function oursIn(error: unknown): CancelledError | undefined {
  return limitBehind(error) ?? (isCancelled(error) ? error : undefined);
}

function problemFor({
  code,
  layer,
  message,
  timeoutMs,
  elapsedMs,
}: CancelledError): MessageProblem {
  return {
    status: 'error',
    code,
    layer,
    message,
    ...(Number.isFinite(timeoutMs) && { timeoutMs: Math.round(timeoutMs) }),
    elapsedMs: Math.round(elapsedMs),
  };
}

function causeOf(error: unknown): unknown {
  return (error as { cause?: unknown }).cause;
}
