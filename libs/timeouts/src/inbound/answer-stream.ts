import type { ServerResponse } from 'node:http';
import type { AlarmHandle } from '../core/clock.js';
import { formatDuration } from '../core/duration.js';
import type { ScopeNode } from '../core/scope-node.js';
import type { StreamLimits } from '../policy/resolved-options.js';
import { closeConnection } from './connection-end.js';
import { settle } from './late-writes.js';
import type { Problem } from './problem.js';

type Method = (...args: unknown[]) => unknown;

/**
 * An answer that is sent piece by piece. Its first byte lifts the handler timeout; from there on the
 * stream's own limits hold: the longest silence, and the whole.
 */
export class AnswerStream {
  isEventStream = false;
  #begun = false;
  #isReleased = false;
  #lastWriteAt = 0;
  #idleAlarm: AlarmHandle | undefined;

  constructor(
    readonly res: ServerResponse,
    readonly scope: ScopeNode,
    readonly limits: StreamLimits,
  ) {
    if (res.headersSent) this.#look(res.getHeader('content-type'));
    else this.#catchHead();
  }

  /**
   * The first byte is out.
   * @returns false when that was known.
   */
  begin(): boolean {
    if (this.#begun) return false;
    this.#begun = true;
    const { scope, limits } = this;
    if (scope.cancellation || this.res.writableEnded) return true;
    const now = scope.tree.clock.now();
    scope.subject = 'Stream';
    scope.moveDeadline(now + limits.totalMs);
    if (limits.idleMs === Infinity) return true;
    this.#noteWrites();
    this.#lastWriteAt = now;
    this.#watch(now + limits.idleMs);
    return true;
  }

  /** What is written from now on is the answer to the cancel. */
  release(): void {
    this.#isReleased = true;
  }

  end(): void {
    this.#idleAlarm?.cancel();
  }

  /** Ends a stream of events with one that says why. The connection goes with it, so that Nest lets go of the producer. */
  sayLast(problem: Problem): void {
    const { res } = this;
    // A blank line first: whatever was being sent is not part of this event.
    res.write(`\n\nevent: error\ndata: ${JSON.stringify(problem)}\n\n`);
    res.end(() => closeConnection(res));
  }

  #catchHead(): void {
    const { res } = this;
    const { writeHead, flushHeaders, write, end } = res as unknown as Record<string, Method>;
    const unlessLate =
      (method: Method, result?: unknown) =>
      (...args: unknown[]) => {
        if (!this.#isLate()) return method.apply(res, args);
        settle.apply(res, args);
        return result;
      };
    const begin = (...args: unknown[]) => {
      this.#look(contentTypeIn(args.at(-1)) ?? res.getHeader('content-type'));
      this.begin();
      return writeHead!.apply(res, args);
    };
    Object.assign(res, {
      writeHead: unlessLate(begin, res),
      flushHeaders: unlessLate(flushHeaders!),
      write: unlessLate(write!, true),
      end: unlessLate(end!, res),
    });
  }

  /** The event loop may have been blocked past the deadline, with its timer still to come. */
  #isLate(): boolean {
    // Asked once: the deadline may pass between `end` and the `writeHead` it calls.
    if (!this.#isReleased && !this.scope.expireIfOverdue()) this.#isReleased = true;
    return !this.#isReleased;
  }

  #look(contentType: unknown): void {
    this.isEventStream = String(contentType).startsWith('text/event-stream');
  }

  #noteWrites(): void {
    const { res, scope } = this;
    const write = res.write as (...args: unknown[]) => boolean;
    res.write = (...args: unknown[]) => {
      this.#lastWriteAt = scope.tree.clock.now();
      return write.apply(res, args);
    };
  }

  #watch(instant: number): void {
    this.#idleAlarm = this.scope.tree.clock.at(instant, { ring: () => this.#checkIdle() });
  }

  #checkIdle(): void {
    const { res, scope, limits } = this;
    if (scope.cancellation || res.writableEnded) return;
    const due = this.#lastWriteAt + limits.idleMs;
    if (scope.tree.clock.now() < due) this.#watch(due);
    else scope.cancel('deadline', `Stream sent nothing for ${formatDuration(limits.idleMs)}`);
  }
}

function contentTypeIn(headers: unknown): unknown {
  if (typeof headers !== 'object' || headers === null) return undefined;
  for (const [name, value] of Object.entries(headers)) {
    if (name.toLowerCase() === 'content-type') return value;
  }
  return undefined;
}
