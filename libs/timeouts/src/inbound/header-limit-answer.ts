import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Problem } from './problem.js';

const STATUS = 408;

/** The whole 408, for a connection that has no response to send it on. */
export function headersTimeoutAnswer(timeoutMs: number, elapsedMs: number): string {
  // The path is not known, so there is no `instance`.
  const problem: Omit<Problem, 'instance'> = {
    type: 'about:blank',
    title: STATUS_CODES[STATUS]!,
    status: STATUS,
    detail: 'Timed out while reading request headers',
    code: 'headers_timeout',
    layer: 'headers',
    timeoutMs: Math.round(timeoutMs),
    elapsedMs: Math.round(elapsedMs),
    requestId: randomUUID(),
  };
  const body = JSON.stringify(problem);
  return [
    `HTTP/1.1 ${STATUS} ${problem.title}`,
    `Date: ${new Date().toUTCString()}`,
    'Connection: close',
    'Cache-Control: no-store',
    'Content-Type: application/problem+json',
    `Content-Length: ${body.length}`,
    `X-Request-Id: ${problem.requestId}`,
    '',
    body,
  ].join('\r\n');
}
