import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { parseDuration } from '../core/duration.js';
import { AnswerParser } from './answer-parser.js';
import type { ClientView, ConnectionEnd } from './client-view.js';
import type { HostileRequest } from './hostile-request.js';
import { RequestBytes } from './hostile-request.js';

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** One connection that says what it is told to, and notes what becomes of it. */
export class HostileConnection {
  readonly #answer: AnswerParser;
  readonly #startedAt = performance.now();
  readonly #ending = new AbortController();
  readonly #giveUp: NodeJS.Timeout | undefined;
  #ended: ConnectionEnd | undefined;
  #elapsedMs = 0;
  #isSaid = false;
  #bytesSent = 0;
  #bytesReceived = 0;
  #onAnswer: (() => void) | undefined;

  constructor(
    readonly request: RequestBytes,
    readonly socket: Socket,
    /** Below the encryption: the one that can be reset. */
    readonly transport: Socket,
    giveUpAfterMs: number,
  ) {
    this.#answer = new AnswerParser(request.method);
    socket.on('error', () => this.#end('reset'));
    socket.on('end', () => this.#end('closed'));
    socket.on('close', () => this.#end('closed'));
    if (giveUpAfterMs <= LONGEST_TIMER_MS) {
      this.#giveUp = setTimeout(() => this.#end('open'), giveUpAfterMs);
    }
  }

  get isOver(): boolean {
    return this.#ended !== undefined;
  }

  /** From now on everything that comes is read at once. */
  listen(): this {
    this.socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    return this;
  }

  /** Takes so many bytes of what has come. */
  read(bytes: number): void {
    const { readableLength } = this.socket;
    const chunk = this.socket.read(Math.min(bytes, readableLength)) as Buffer | null;
    if (chunk) this.#receive(chunk);
  }

  /** Settles when the bytes are handed over, or the connection is over. */
  send(bytes: Uint8Array): Promise<void> {
    if (this.isOver) return Promise.resolve();
    return new Promise((resolve) => {
      this.socket.write(bytes, (error) => {
        if (!error) this.#bytesSent += bytes.length;
        resolve();
      });
    });
  }

  async sendAll(pieces: Iterable<Uint8Array>): Promise<void> {
    for (const piece of pieces) await this.send(piece);
  }

  /**
   * A client that does not read is not told of a reset, and would believe in it only after the last
   * byte that came before. Writing nothing makes the system say so.
   */
  probe(): void {
    if (!this.isOver) this.socket.write('');
  }

  /** Waits, unless the connection is over before. */
  async wait(ms: number): Promise<void> {
    if (this.isOver) return;
    await sleep(ms, undefined, { signal: this.#ending.signal }).catch(() => undefined);
  }

  /** Settles with the first bytes of the answer, or with the end of the connection. */
  answering(): Promise<void> {
    if (this.#bytesReceived > 0 || this.isOver) return Promise.resolve();
    return new Promise((resolve) => (this.#onAnswer = resolve));
  }

  leave(by: 'reset' | 'close'): void {
    if (this.isOver) return;
    this.#end('left', by);
  }

  /** The request is all said: a whole answer on a connection that is kept is the end. */
  said(): void {
    this.#isSaid = true;
    this.#endIfServed();
  }

  /** Settles once the connection is over. */
  async over(): Promise<ClientView> {
    if (!this.isOver) await once(this.#ending.signal, 'abort');
    const { status, headers, body, isWhole } = this.#answer;
    return {
      ...(status !== undefined && { status }),
      headers,
      body,
      whole: isWhole,
      ended: this.#ended!,
      elapsedMs: this.#elapsedMs,
      bytesSent: this.#bytesSent,
      bytesReceived: this.#bytesReceived,
    };
  }

  #receive(chunk: Buffer): void {
    this.#bytesReceived += chunk.length;
    this.#answer.push(chunk);
    this.#onAnswer?.();
    this.#endIfServed();
  }

  #endIfServed(): void {
    const { isWhole, keepsConnection } = this.#answer;
    if (this.#isSaid && isWhole && keepsConnection) this.#end('open');
  }

  #end(ended: ConnectionEnd, by: 'reset' | 'close' = 'close'): void {
    if (this.#ended) return;
    this.#ended = ended;
    this.#elapsedMs = performance.now() - this.#startedAt;
    clearTimeout(this.#giveUp);
    if (ended === 'closed') this.#answer.end();
    if (by === 'reset') this.transport.resetAndDestroy();
    this.socket.destroy();
    this.#onAnswer?.();
    this.#ending.abort();
  }
}

/**
 * Connects, lets `script` misbehave, and reports what became of it.
 * @throws what the system says when no connection came to be: that is no answer of the server's.
 */
export async function converse(
  url: string | URL,
  options: HostileRequest,
  script: (client: HostileConnection) => Promise<void>,
): Promise<ClientView> {
  const target = new URL(url);
  const giveUpAfterMs = parseDuration(options.giveUpAfter ?? '30s', 'giveUpAfter');
  const request = new RequestBytes(target, options);
  const { socket, transport } = await dial(target, options.rejectUnauthorized ?? true);
  const client = new HostileConnection(request, socket, transport, giveUpAfterMs);
  try {
    await script(client);
  } catch (error) {
    client.leave('close');
    throw error;
  }
  return client.over();
}

async function dial({ protocol, hostname, port }: URL, rejectUnauthorized: boolean) {
  if (protocol !== 'http:' && protocol !== 'https:') {
    throw new TypeError(`A hostile client speaks http: and https:, not ${protocol}`);
  }
  const secure = protocol === 'https:';
  const host = hostname.replace(/^\[|\]$/g, '');
  const transport = connect({ host, port: Number(port) || (secure ? 443 : 80), noDelay: true });
  await once(transport, 'connect');
  if (!secure) return { socket: transport, transport };
  // What goes wrong down there is reported up here as well.
  transport.on('error', () => undefined);
  const socket = connectTls({ socket: transport, host, rejectUnauthorized });
  try {
    await once(socket, 'secureConnect');
  } catch (error) {
    transport.destroy();
    throw error;
  }
  return { socket, transport };
}
