import { request } from 'node:http';
import type { IncomingHttpHeaders, RequestOptions } from 'node:http';
import { expect } from '@jest/globals';

/** What a client saw of one request. */
export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The answer ended the way HTTP ends one; false when the connection was reset in the middle. */
  readonly whole: boolean;
  readonly elapsedMs: number;
  /** How long this process, which is client and server, did not get to run meanwhile. */
  readonly stalledMs: number;
}

export interface Call extends RequestOptions {
  readonly body?: string;
}

const TICK_MS = 5;
const TIMER_PRECISION_MS = 2;

/** One request over a connection of its own, unless an `agent` is given. */
export function call(url: string, { body, ...options }: Call = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const startedAt = performance.now();
    let tickedAt = startedAt;
    let stalledMs = 0;
    const tick = () => {
      const now = performance.now();
      stalledMs += Math.max(0, now - tickedAt - TICK_MS - TIMER_PRECISION_MS);
      tickedAt = now;
    };
    const ticker = setInterval(tick, TICK_MS);
    const req = request(url, { agent: false, ...options }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (chunk: Buffer) => chunks.push(chunk));
      res.on('error', () => {});
      res.on('close', () => {
        tick();
        clearInterval(ticker);
        resolve({
          status: res.statusCode!,
          headers: res.headers,
          body: Buffer.concat(chunks).toString(),
          whole: res.complete,
          elapsedMs: performance.now() - startedAt,
          stalledMs,
        });
      });
    });
    req.on('error', (error) => {
      clearInterval(ticker);
      reject(error);
    });
    req.end(body);
  });
}

/** Not before the limit, and soon after it; what the process could not run is nobody's delay. */
export function expectOnTime(answer: Pick<Answer, 'elapsedMs' | 'stalledMs'>, limitMs: number) {
  expect(answer.elapsedMs).toBeGreaterThanOrEqual(limitMs);
  expect(answer.elapsedMs - answer.stalledMs).toBeLessThanOrEqual(limitMs * 1.1 + 60);
}

/** The problem of an answer that ended on time with `status`. */
export function expectProblem(answer: Answer, limitMs: number, status = 504) {
  expect(answer).toMatchObject({
    status,
    whole: true,
    headers: { 'content-type': 'application/problem+json' },
  });
  expectOnTime(answer, limitMs);
  return JSON.parse(answer.body) as Record<string, unknown>;
}
