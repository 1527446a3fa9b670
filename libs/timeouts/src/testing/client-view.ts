/**
 * How a connection ended: the server `closed` it, or `reset` it; it was still `open` when the
 * answer was whole and the server kept the connection, or when the client gave up; or the client
 * had `left` itself.
 *
 * @example
 * const good: ConnectionEnd[] = ['closed', 'reset'];
 */
export type ConnectionEnd = 'closed' | 'reset' | 'open' | 'left';

/**
 * What a hostile client saw of the server. Being cut off is a result, not an error.
 *
 * @example
 * const { status, ended, elapsedMs }: ClientView = await stall(url, { body: 'never all of it' });
 */
export interface ClientView {
  /** Status of the answer; undefined when none came. Interim answers do not count. */
  readonly status?: number;
  /** Headers of the answer, names in lower case; what came twice is joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
  /** Body of the answer as far as it came. */
  readonly body: string;
  /** Whether the answer came to its proper end. */
  readonly whole: boolean;
  /** How the connection ended. */
  readonly ended: ConnectionEnd;
  /** From the moment the connection stood to its end. */
  readonly elapsedMs: number;
  /** Bytes of the request that were handed over. */
  readonly bytesSent: number;
  /** Bytes of the answer that were read, headers included. */
  readonly bytesReceived: number;
}
