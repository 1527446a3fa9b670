const TRANSIENT_STATUS = new Set([408, 425, 429, 502, 503, 504]);

const TRANSIENT_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EPIPE',
  'ETIMEDOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_SOCKET',
]);

const MAX_CAUSES = 5;

interface HttpError {
  readonly code?: unknown;
  readonly status?: unknown;
  readonly statusCode?: unknown;
  readonly headers?: unknown;
  readonly response?: HttpError;
  readonly cause?: unknown;
}

/** Whether another try may well succeed: a network error or an answer that asks for patience. */
export function isTransient(error: unknown): boolean {
  return someCause(error, (link) => {
    const status = link.status ?? link.statusCode ?? link.response?.status;
    return TRANSIENT_STATUS.has(status as number) || TRANSIENT_CODES.has(link.code as string);
  });
}

/** What the answer's `Retry-After` asks for, in milliseconds; undefined where it asks for nothing. */
export function retryAfterMs(error: unknown): number | undefined {
  let value: string | undefined;
  someCause(error, (link) => {
    value = headerOf(link.headers) ?? headerOf(link.response?.headers);
    return value !== undefined;
  });
  if (value === undefined) return undefined;
  if (/^\d+$/.test(value.trim())) return Number(value) * 1_000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now());
}

function headerOf(headers: unknown): string | undefined {
  if (typeof headers !== 'object' || headers === null) return undefined;
  // Not `instanceof`: undici's and axios's are other classes.
  const { get } = headers as { get?: unknown };
  if (typeof get === 'function') return get.call(headers, 'retry-after') ?? undefined;
  const value = (headers as Record<string, unknown>)['retry-after'];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

function someCause(error: unknown, test: (link: HttpError) => boolean): boolean {
  let link = error;
  for (let depth = 0; depth <= MAX_CAUSES; depth++) {
    if (typeof link !== 'object' || link === null) return false;
    if (test(link)) return true;
    link = (link as HttpError).cause;
  }
  return false;
}
