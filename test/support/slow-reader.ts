import { once } from 'node:events';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { rawRequest } from './raw-connection.js';

const TICK_MS = 5;
const TIMER_PRECISION_MS = 2;

/** A client that takes its answer as fast as a test wants it to; at first not at all. */
export class SlowReader {
  /** Bytes read, the head of the answer included. */
  bytes = 0;
  /** The code of the first error. */
  error: string | undefined;
  /** Resolves when the connection is over. A client that does not read sees no end. */
  readonly over: Promise<unknown>;
  #startedAt = performance.now();
  #tickedAt = performance.now();
  #stalledMs = 0;
  #sips: NodeJS.Timeout | undefined;
  readonly #ticker = setInterval(() => this.#tick(), TICK_MS);

  constructor(readonly source: Duplex) {
    source.on('error', (error: NodeJS.ErrnoException) => (this.error ??= error.code));
    this.over = new Promise((resolve) => source.once('close', resolve));
    void this.over.then(() => this.stop());
  }

  static async open(port: number, path: string): Promise<SlowReader> {
    const socket: Socket = connect({ port, host: '127.0.0.1' });
    await once(socket, 'connect');
    socket.write(rawRequest('GET', path));
    return new SlowReader(socket);
  }

  /** Reads on and on in small sips, at `rate` bytes per second. */
  sip(rate: number): this {
    let allowed = 0;
    let sippedAt = performance.now();
    this.#sips = setInterval(() => {
      const now = performance.now();
      allowed += (rate * (now - sippedAt)) / 1_000;
      sippedAt = now;
      const size = Math.min(Math.floor(allowed), this.source.readableLength);
      // Asking for nothing makes a stream that holds nothing look for more.
      const sip = this.source.read(size) as Buffer | null;
      this.bytes += sip?.length ?? 0;
      allowed -= sip?.length ?? 0;
    }, TICK_MS);
    return this;
  }

  /** Reads nothing any more. */
  pause(): void {
    clearInterval(this.#sips);
    this.source.pause();
    this.#startedAt = performance.now();
    this.#stalledMs = 0;
  }

  /** Reads all there is, as fast as it comes. */
  gulp(): this {
    clearInterval(this.#sips);
    this.source.on('data', (chunk: Buffer) => (this.bytes += chunk.length));
    this.source.resume();
    return this;
  }

  /**
   * Says one byte more, and reads on: the code of the error that the connection was over with. A
   * connection that was closed in good order would take the byte.
   */
  async endOfConnection(): Promise<string | undefined> {
    this.source.write('\0');
    this.gulp();
    await this.over;
    return this.error;
  }

  /** Time since the client stopped to read, without that in which this process could not run. */
  get waited(): { elapsedMs: number; stalledMs: number } {
    this.#tick();
    return { elapsedMs: performance.now() - this.#startedAt, stalledMs: this.#stalledMs };
  }

  stop(): void {
    clearInterval(this.#sips);
    clearInterval(this.#ticker);
  }

  leave(): void {
    this.stop();
    this.source.destroy();
  }

  #tick(): void {
    const now = performance.now();
    this.#stalledMs += Math.max(0, now - this.#tickedAt - TICK_MS - TIMER_PRECISION_MS);
    this.#tickedAt = now;
  }
}
