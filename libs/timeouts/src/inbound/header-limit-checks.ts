import { Logger } from '@nestjs/common';
import type { Server } from 'node:http';
import { formatDuration } from '../core/duration.js';
import type { HeaderLimit } from './header-limit.js';

/** What is used of a server that speaks HTTP/1; one that speaks HTTP/2 alone has none of it. */
interface CheckedServer extends Server {
  /** Read when the server begins to listen. */
  connectionsCheckingInterval?: number;
}

const NODE_REQUEST_TIMEOUT_MS = 300_000;
const SHORTEST_INTERVAL_MS = 20;
const LONGEST_INTERVAL_MS = 250;

/** What Node takes for a number of milliseconds, and about 49 days; more than that is no limit. */
const MAX_NODE_MS = 2 ** 32 - 1;

const logger = new Logger('Timeouts');

/**
 * Makes Node look often enough for headers that are overdue (by itself it looks every 30 s), and
 * takes its limit for whole requests away, as the limits for bodies are in the place of that.
 */
export function checkHeadersOften(
  server: CheckedServer,
  limit: HeaderLimit,
  bodyTotalMs: number,
): void {
  if (server.headersTimeout === undefined) return;
  if (server.requestTimeout === NODE_REQUEST_TIMEOUT_MS) server.requestTimeout = 0;
  holdHeadersTimeout(server, limit);
  server.prependListener('listening', () => {
    warnOfRequestTimeout(server, limit.optionMs + bodyTotalMs);
    const { connectionsCheckingInterval } = server;
    if (connectionsCheckingInterval === undefined || limit.optionMs === Infinity) return;
    const intervalMs = Math.ceil(limit.optionMs / 40);
    server.connectionsCheckingInterval = Math.min(
      connectionsCheckingInterval,
      Math.max(SHORTEST_INTERVAL_MS, Math.min(intervalMs, LONGEST_INTERVAL_MS)),
    );
  });
  if (limit.optionMs === Infinity) return;
  if (server.connectionsCheckingInterval === undefined || server.listening) {
    logger.warn(
      `headers (${formatDuration(limit.optionMs)}) may come up to 30s late: this server does not ` +
        'let anybody say how often it looks, or listened before TimeoutsModule was initialised',
    );
  }
}

/** Node asks for it at every look; other values that are set on the server must not undo the option. */
function holdHeadersTimeout(server: Server, limit: HeaderLimit): void {
  let isWarned = false;
  Object.defineProperty(server, 'headersTimeout', {
    configurable: true,
    enumerable: true,
    get: () => nodeMs(limit),
    set(ms: number) {
      if (isWarned || ms === nodeMs(limit)) return;
      isWarned = true;
      logger.warn(
        `server.headersTimeout = ${ms} changes nothing: the option headers ` +
          `(${formatDuration(limit.optionMs)}) is in force, set that`,
      );
    },
  });
}

/** Node confuses the two when the limit for headers is the longer one. */
function nodeMs({ limitMs, optionMs }: HeaderLimit): number {
  const ms = optionMs === Infinity ? Infinity : Math.ceil(limitMs);
  return ms > MAX_NODE_MS ? 0 : ms;
}

function warnOfRequestTimeout({ requestTimeout }: Server, allowedMs: number): void {
  if (!requestTimeout || requestTimeout >= allowedMs) return;
  logger.warn(
    `server.requestTimeout (${formatDuration(requestTimeout)}) cuts uploads that the options allow: ` +
      'set it to 0, or headers and body.total so that they are shorter together',
  );
}
