import { formatDuration } from '../core/duration.js';
import type { ResolvedOptions } from '../policy/timeouts-options.js';
import type { Finding } from './finding.js';

/** A proxy's own limit, and where it was found. */
export interface ProxyLimit {
  readonly file: string;
  readonly line: number;
  /** As it is spelled there: `proxy_read_timeout`, an annotation, … */
  readonly name: string;
  readonly ms: number;
  readonly limits: 'answer' | 'body' | 'idle';
}

/** What the application behind the proxy does. */
export interface BehindProxy {
  readonly options: ResolvedOptions;
  /** How long its server keeps an idle connection. */
  readonly keepAliveMs: number;
}

/** The proxy must be the more patient one, and must let go of idle connections first. */
export function checkProxy(limit: ProxyLimit, { options, keepAliveMs }: BehindProxy): Finding[] {
  const { file, line, name, ms } = limit;
  const given = `${name} (${formatDuration(ms)})`;
  const { handlerMs, body } = options;
  if (limit.limits === 'idle') {
    if (keepAliveMs === 0 || ms < keepAliveMs) return [];
    const message =
      `${given} is not shorter than the server's keepAliveTimeout (${formatDuration(keepAliveMs)}), ` +
      'so the proxy sends requests over connections that are just being closed';
    const fix = `set server.keepAliveTimeout above ${formatDuration(ms)}, or ${name} below ${formatDuration(keepAliveMs)}`;
    return [{ file, line, message, fix }];
  }
  const [inner, innerMs] =
    limit.limits === 'answer' ? ['handler', handlerMs] : ['body.idle', body.idleMs];
  if (ms > innerMs) return [];
  const what =
    limit.limits === 'answer'
      ? 'the proxy answers 504 itself, and what the application says is never seen'
      : 'the proxy cuts uploads that the application would wait for';
  return [
    {
      file,
      line,
      message: `${given} is not longer than ${inner} (${formatDuration(innerMs)}): ${what}`,
      fix: Number.isFinite(innerMs)
        ? `set ${name} above ${formatDuration(innerMs)}, or shorten ${inner}`
        : `give ${inner} a limit below ${formatDuration(ms)}`,
    },
  ];
}
