import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Alarm, AlarmHandle } from '../core/clock.js';
import { systemClock } from '../core/system-clock.js';
import type { Unanswered } from './answer-queue.js';
import type { HeaderLimit } from './header-limit.js';
import { headersTimeoutAnswer } from './header-limit-answer.js';

type OnIncoming = (req: IncomingMessage, shouldKeepAlive: boolean) => number;

/** What is used of a connection of Node's HTTP/1 server. */
export interface HttpSocket extends Socket {
  parser?: {
    /** The request whose headers were read last, until it is answered. */
    incoming: IncomingMessage | null;
    onIncoming: OnIncoming | null;
    /** Milliseconds since the first byte; not on every version. */
    duration?(): number;
  } | null;
  /** The answer that is being sent. */
  _httpMessage?: ServerResponse | null;
}

export function isReadingBody({ parser }: HttpSocket): boolean {
  return parser?.incoming?.complete === false;
}

/** How often it is looked again while nobody can be blamed. */
export const RECHECK_MS = 1_000;

/** Destroying a connection while its client sends resets it, which may take the answer with it. */
const LINGER_MS = 500;

/** A connection whose request headers are not whole at the limit. */
export class OverdueHead implements Alarm, Unanswered {
  hasAnswer = false;
  #isWhole = false;
  #wasPaused = false;
  #elapsedMs = 0;
  #alarm: AlarmHandle | undefined;

  constructor(
    readonly limit: HeaderLimit,
    readonly socket: HttpSocket,
    readonly since: number,
  ) {
    socket.once('close', () => this.#alarm?.cancel());
    this.#awaitRest();
    // After a stall of the event loop the rest may lie unread: the connections come first.
    setImmediate(() => this.#look());
  }

  ring(): void {
    if (this.hasAnswer) this.socket.destroy();
    else this.#look();
  }

  answerCancel(): void {
    const { limit, socket } = this;
    if (socket.destroyed) return;
    // An earlier answer may have been the last one, and whoever reads nothing must not hold it open.
    if (socket.writable) socket.end(headersTimeoutAnswer(limit.limitMs, this.#elapsedMs));
    this.hasAnswer = true;
    this.#wakeIn(LINGER_MS);
  }

  #awaitRest(): void {
    const { limit, socket } = this;
    const { parser } = socket;
    const onIncoming = parser?.onIncoming;
    if (!parser || !onIncoming) return;
    parser.onIncoming = (req, shouldKeepAlive) => {
      parser.onIncoming = onIncoming;
      this.#isWhole = true;
      limit.spare(socket);
      return onIncoming(req, shouldKeepAlive);
    };
  }

  #look(): void {
    if (this.#isWhole || this.socket.destroyed) return;
    if (this.limit.isSuspended || this.#isHeldUp()) this.#wakeIn(RECHECK_MS);
    else this.#cut();
  }

  /** Node reads nothing while the answers to earlier requests are not taken off its hands. */
  #isHeldUp(): boolean {
    const wasPaused = this.#wasPaused;
    this.#wasPaused = this.socket.isPaused();
    return this.#wasPaused || wasPaused;
  }

  #cut(): void {
    const { limit, since, socket } = this;
    if (socket.bytesRead === 0) {
      socket.destroy();
      return;
    }
    if (socket.parser) socket.parser.onIncoming = discard;
    this.#elapsedMs = systemClock.now() - since;
    limit.record(this.#elapsedMs, 408);
    this.#answerInTurn();
  }

  readonly #answerInTurn = (): void => {
    const { _httpMessage: earlier } = this.socket;
    if (earlier) earlier.once('finish', this.#answerInTurn);
    else this.limit.answers.add(this);
  };

  #wakeIn(ms: number): void {
    this.#alarm = systemClock.at(systemClock.now() + ms, this);
  }
}

/** The connection is over for whatever request still arrives on it; it has no body, says the 1. */
function discard(req: IncomingMessage): number {
  (req as { upgrade?: boolean }).upgrade = false;
  return 1;
}
