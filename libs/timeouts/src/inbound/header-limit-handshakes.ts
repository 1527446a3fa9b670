import { Socket } from 'node:net';
import type { Server, TLSSocket } from 'node:tls';
import type { Alarm, AlarmHandle } from '../core/clock.js';
import { systemClock } from '../core/system-clock.js';
import type { HeaderLimit } from './header-limit.js';
import type { HttpSocket } from './header-limit-overdue.js';
import { RECHECK_MS } from './header-limit-overdue.js';

/** An alarm that comes this much late tells of an event loop that stood still. */
const STALL_MS = 20;

/** The share of the limit that a handshake may take without the headers after it having less. */
const FREE_SHARE = 0.05;

/**
 * Counts the TLS handshake to the time that headers may take. Node has a limit for it too, of two
 * minutes, that can only be set when the server is made.
 */
export function limitHandshakes(server: Server, limit: HeaderLimit): void {
  const handshakes = new WeakMap<Socket, Handshake>();
  server.on('connection', (raw: unknown) => {
    // Whatever else is given to the server has no limit here: it cannot be told when it is secure.
    if (raw instanceof Socket) handshakes.set(raw, new Handshake(limit, raw));
  });
  server.on('secureConnection', (socket: TLSSocket & { _parent?: Socket }) => {
    const { _parent } = socket;
    if (_parent) handshakes.get(_parent)?.secured(socket);
  });
}

class Handshake implements Alarm {
  readonly #startedAt = systemClock.now();
  #due = this.#startedAt;
  #alarm!: AlarmHandle;
  #secured: HttpSocket | undefined;

  constructor(
    readonly limit: HeaderLimit,
    readonly raw: Socket,
  ) {
    this.#wakeIn(limit.optionMs);
    raw.once('close', () => this.#alarm.cancel());
  }

  secured(socket: HttpSocket): void {
    this.#secured = socket;
    const tookMs = systemClock.now() - this.#startedAt;
    if (tookMs < this.limit.optionMs * FREE_SHARE) this.#alarm.cancel();
  }

  ring(): void {
    const lateMs = systemClock.now() - this.#due;
    // The client could not go on without the answer that this process did not send.
    if (lateMs > STALL_MS && !this.#secured) this.#wakeIn(lateMs);
    else setImmediate(() => this.#end());
  }

  #end(): void {
    const { limit, raw } = this;
    if (raw.destroyed) return;
    if (limit.isSuspended) this.#wakeIn(RECHECK_MS);
    else if (!this.#secured) this.#cut();
    else if (isBeforeFirstHead(this.#secured)) limit.expire(this.#secured, this.#startedAt);
  }

  #cut(): void {
    const { limit, raw } = this;
    if (raw.bytesRead > 0) limit.record(systemClock.now() - this.#startedAt);
    raw.destroy();
  }

  #wakeIn(ms: number): void {
    this.#due = systemClock.now() + ms;
    this.#alarm = systemClock.at(this.#due, this);
  }
}

/** Nothing was asked for yet, and nothing answered. */
function isBeforeFirstHead({ parser, bytesWritten, _httpMessage }: HttpSocket): boolean {
  return parser?.incoming === null && !_httpMessage && bytesWritten === 0;
}
