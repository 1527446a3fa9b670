import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectSecurely } from 'node:tls';
import { eventually } from './eventually.js';

const TICK_MS = 5;
const TIMER_PRECISION_MS = 2;

/** What a {@link SlowClient} saw until its connection was ended. */
export interface Farewell {
  readonly received: string;
  /** Since the connection was opened, or `restart` was called. */
  readonly elapsedMs: number;
  /** How long this process, which is client and server, did not get to run meanwhile. */
  readonly stalledMs: number;
}

/** A connection, plain or secure, that says what it says as slowly as a test wants. */
export class SlowClient {
  received = '';
  readonly ended: Promise<Farewell>;
  #startedAt = performance.now();
  #tickedAt = this.#startedAt;
  #stalledMs = 0;
  readonly #ticker = setInterval(() => this.#tick(), TICK_MS);
  #pieces: NodeJS.Timeout | undefined;

  private constructor(readonly socket: Socket) {
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => (this.received += chunk));
    // A reset is one of the ways in which a server ends a connection.
    socket.on('error', () => {});
    socket.once('close', () => {
      clearInterval(this.#pieces);
      clearInterval(this.#ticker);
    });
    this.ended = new Promise((resolve) => {
      const end = () => {
        this.#tick();
        const elapsedMs = performance.now() - this.#startedAt;
        resolve({ received: this.received, elapsedMs, stalledMs: this.#stalledMs });
      };
      socket.once('end', end);
      socket.once('close', end);
    });
  }

  /** `staysOpen`: it never ends its side by itself. */
  static async open(port: number, { staysOpen = false } = {}): Promise<SlowClient> {
    const options = { port, host: '127.0.0.1', noDelay: true, allowHalfOpen: staysOpen };
    const client = new SlowClient(connect(options));
    await once(client.socket, 'connect');
    return client;
  }

  /** Its handshake done, which it began `pauseMs` after it had connected. */
  static async openSecurely(port: number, pauseMs = 0): Promise<SlowClient> {
    const raw = connect({ port, host: '127.0.0.1', noDelay: true });
    const startedAt = performance.now();
    await once(raw, 'connect');
    if (pauseMs > 0) await delay(pauseMs);
    const client = new SlowClient(connectSecurely({ socket: raw, rejectUnauthorized: false }));
    await once(client.socket, 'secureConnect');
    client.#startedAt = startedAt;
    return client;
  }

  send(text: string | Buffer): void {
    this.socket.write(text);
  }

  /** One byte of `text` at a time, and again from its first. */
  drip(text: string | Buffer, everyMs = 40): this {
    const bytes = Buffer.from(text);
    let sent = 0;
    const next = () => this.socket.write(bytes.subarray(sent % bytes.length, ++sent));
    next();
    this.#pieces = setInterval(() => {
      if (sent % bytes.length === 0) sent = 0;
      next();
    }, everyMs);
    return this;
  }

  /** Time is measured from now on. */
  restart(): void {
    this.#startedAt = this.#tickedAt = performance.now();
    this.#stalledMs = 0;
  }

  leave(): void {
    this.socket.destroy();
  }

  async receives(text: string): Promise<void> {
    await eventually(() => this.received.includes(text), `${text} in ${this.received}`);
  }

  #tick(): void {
    const now = performance.now();
    this.#stalledMs += Math.max(0, now - this.#tickedAt - TICK_MS - TIMER_PRECISION_MS);
    this.#tickedAt = now;
  }
}
