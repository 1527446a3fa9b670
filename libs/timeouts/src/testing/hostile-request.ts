import type { Duration } from '../core/duration.js';

/**
 * The request that a hostile client makes, properly or not. All of it is optional.
 *
 * @example
 * const request: HostileRequest = { method: 'PUT', headers: { 'x-tenant': 'a' }, body: 'x'.repeat(1_000) };
 */
export interface HostileRequest {
  /** Default: `POST` when there is a body, `GET` otherwise. */
  readonly method?: string;
  /**
   * `Host`, and `Content-Length` where there is a body, are added unless they are given. With
   * `Transfer-Encoding: chunked` every piece that is sent is one chunk.
   */
  readonly headers?: Readonly<Record<string, string>>;
  /** A string goes out as UTF-8. Default: no body. */
  readonly body?: string | Uint8Array;
  /**
   * How long to watch the server do nothing about it, from the first byte to the end; then the
   * client hangs up and reports `ended: 'open'`. Default 30 s.
   */
  readonly giveUpAfter?: Duration;
  /** `false` accepts the self-signed certificate of a test server. Default true. */
  readonly rejectUnauthorized?: boolean;
}

/**
 * How far a request has come: nothing sent yet, all but the end of the headers, the headers, the
 * headers and half of the body, everything, the first bytes of the answer received.
 *
 * @example
 * const moment: Moment = 'mid-body';
 */
export type Moment =
  'connect' | 'mid-headers' | 'before-body' | 'mid-body' | 'after-body' | 'mid-answer';

const HEAD_END = 4;

/** The bytes of a request, in the parts that a client may dawdle over. */
export class RequestBytes {
  readonly method: string;
  readonly head: Buffer;
  readonly #body: Buffer;
  readonly #chunked: boolean;

  constructor(url: URL, request: HostileRequest) {
    const { body, headers = {}, method = body === undefined ? 'GET' : 'POST' } = request;
    const given = new Map(Object.entries(headers).map(([name, value]) => [lower(name), value]));
    this.method = method;
    this.#body = Buffer.from(body ?? '');
    this.#chunked = lower(given.get('transfer-encoding') ?? '').includes('chunked');
    const lines = [`${method} ${url.pathname}${url.search} HTTP/1.1`];
    if (!given.has('host')) lines.push(`Host: ${url.host}`);
    for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
    const unmeasured = !this.#chunked && !given.has('content-length');
    if (body !== undefined && unmeasured) lines.push(`Content-Length: ${this.#body.length}`);
    this.head = Buffer.from([...lines, '', ''].join('\r\n'), 'latin1');
  }

  /** The whole body in pieces of `size` bytes; a chunked one ends with its last chunk. */
  *body(size = Infinity): Generator<Buffer> {
    for (let at = 0; at < this.#body.length; at += size) {
      yield this.#piece(this.#body.subarray(at, at + size));
    }
    if (this.#chunked) yield Buffer.from('0\r\n\r\n');
  }

  /** What has been sent when the request has come to `moment`. */
  *until(moment: Moment): Generator<Buffer> {
    if (moment === 'connect') return;
    if (moment === 'mid-headers') {
      yield this.head.subarray(0, -HEAD_END);
      return;
    }
    yield this.head;
    if (moment === 'before-body') return;
    if (moment === 'mid-body') yield this.#piece(this.#half());
    else yield* this.body();
  }

  #half(): Buffer {
    const { length } = this.#body;
    if (length < 2) throw new TypeError("'mid-body' needs a body of two bytes or more");
    return this.#body.subarray(0, length >> 1);
  }

  #piece(bytes: Buffer): Buffer {
    if (!this.#chunked) return bytes;
    const size = Buffer.from(`${bytes.length.toString(16)}\r\n`);
    return Buffer.concat([size, bytes, Buffer.from('\r\n')]);
  }
}

function lower(text: string): string {
  return text.toLowerCase();
}
