import { HttpException } from '@nestjs/common';
import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import { CancelledError, DeadlineExceededError } from '../core/errors.js';
import type { HttpExchange } from './http-exchange.js';
import { isBodyUnread } from './request-body.js';

/** An RFC 9457 problem, as sent when a limit is reached. */
export interface Problem {
  readonly type: 'about:blank';
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  /** The path of the request, without its query. */
  readonly instance: string;
  readonly code: string;
  readonly layer: string;
  readonly timeoutMs?: number;
  readonly elapsedMs: number;
  /** From `X-Request-Id`, `X-Correlation-Id` or the framework; a new one where none came along. */
  readonly requestId: string;
}

// Nest logs a stack for every stream that ends in an error it does not know, and users' filters ask
// `instanceof HttpException`. The core must not import Nest, so its errors join that family here.
Object.setPrototypeOf(CancelledError.prototype, HttpException.prototype);
Object.defineProperties(CancelledError.prototype, {
  status: { get: statusOf },
  response: { get: responseOf },
});

const STATUS = {
  deadline: 504,
  disconnect: 499,
  shutdown: 503,
  explicit: 500,
} as const;

/** Layers at whose limit it is the client that was too slow. */
const READING = { headers: true, body: true };

function statusOf(this: CancelledError): number {
  if (this instanceof DeadlineExceededError && this.overloaded) return 503;
  return this.reason === 'deadline' && this.layer in READING ? 408 : STATUS[this.reason];
}

function responseOf(this: CancelledError): object {
  const status = statusOf.call(this);
  return {
    statusCode: status,
    error: STATUS_CODES[status],
    message: this.message,
    code: this.code,
  };
}

/** What `error` looks like to the client of `exchange`. */
export function problemOf(error: CancelledError, exchange: HttpExchange): Problem {
  const { req } = exchange;
  const { title, status, detail, code, layer } = answerTo(error, exchange);
  return {
    type: 'about:blank',
    title,
    status,
    detail,
    instance: pathOf(req.url!),
    code,
    layer,
    ...(Number.isFinite(error.timeoutMs) && { timeoutMs: Math.round(error.timeoutMs) }),
    elapsedMs: Math.round(error.elapsedMs),
    requestId: requestIdOf(exchange),
  };
}

type Answer = Pick<Problem, 'title' | 'status' | 'detail' | 'code' | 'layer'>;

function answerTo(error: CancelledError, { req, policy, scope }: HttpExchange): Answer {
  const { code, layer, message, reason } = error;
  const isOwnDeadline = error === scope.error && reason === 'deadline';
  if (isOwnDeadline && layer !== 'body' && isBodyUnread(req)) return UNREAD_BODY;
  const { status, title, detail } =
    isOwnDeadline && layer === 'handler' ? policy : { status: statusOf.call(error) };
  return {
    title: title ?? STATUS_CODES[status] ?? 'Error',
    status,
    detail: detail ?? message,
    code,
    layer,
  };
}

const UNREAD_BODY = {
  status: 408,
  title: 'Request Timeout',
  detail: 'Timed out while reading request body',
  code: 'body_timeout',
  layer: 'body',
} as const;

/** The one that travels with the request, or a new one to look for in the log. */
export function requestIdOf({
  req,
  res,
  reply,
}: Pick<HttpExchange, 'req' | 'res'> & Partial<Pick<HttpExchange, 'reply'>>): string {
  const known = [
    res.getHeader('x-request-id'),
    req.headers['x-request-id'],
    req.headers['x-correlation-id'],
    (req as { id?: unknown }).id,
    reply?.request?.id,
  ];
  return known.find((id): id is string => typeof id === 'string' && id !== '') ?? randomUUID();
}

export function pathOf(url: string): string {
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}
