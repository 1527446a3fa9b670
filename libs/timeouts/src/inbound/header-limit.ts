import type { Server } from 'node:http';
import { Server as TlsServer } from 'node:tls';
import { ScopeNode } from '../core/scope-node.js';
import { systemClock } from '../core/system-clock.js';
import type { AnswerQueue } from './answer-queue.js';
import { checkHeadersOften } from './header-limit-checks.js';
import { limitHandshakes } from './header-limit-handshakes.js';
import type { HttpSocket } from './header-limit-overdue.js';
import { isReadingBody, OverdueHead } from './header-limit-overdue.js';
import { limitSilentSessions } from './header-limit-sessions.js';
import { UNROUTED } from './inbound.js';

/**
 * How long the headers of a request may take from their first byte on, in real time whatever the
 * application's clock says: Node's parser measures it, so that a request costs nothing.
 */
export class HeaderLimit {
  readonly #overdue = new WeakMap<HttpSocket, OverdueHead>();
  #server: Server | undefined;

  constructor(
    readonly root: ScopeNode,
    readonly answers: AnswerQueue,
    readonly optionMs: number,
  ) {}

  /** @param bodyTotalMs what a whole body may take. */
  watch(server: Server, bodyTotalMs: number): void {
    this.#server = server;
    checkHeadersOften(server, this, bodyTotalMs);
    if (this.optionMs === Infinity) return;
    if (server instanceof TlsServer) limitHandshakes(server, this);
    limitSilentSessions(server, this);
  }

  /** The option, or what the application allows a whole request where that is less. */
  get limitMs(): number {
    return Math.min(this.optionMs, this.#server?.requestTimeout || Infinity);
  }

  get isSuspended(): boolean {
    return this.root.tree.isSuspended();
  }

  /** @returns whether a `clientError` of `socket` is this limit's to deal with. */
  takes({ code }: NodeJS.ErrnoException, socket: HttpSocket): boolean {
    const head = this.#overdue.get(socket);
    // What a connection says after its 408 concerns nobody.
    if (code !== 'ERR_HTTP_REQUEST_TIMEOUT') return head?.hasAnswer ?? false;
    if (head) return true;
    if (this.optionMs === Infinity || isReadingBody(socket)) return false;
    // Node 24 does not tell how long ago it began; that is the limit and at most one check more.
    const elapsedMs = socket.parser?.duration?.() ?? this.limitMs;
    this.expire(socket, systemClock.now() - elapsedMs);
    return true;
  }

  /** @param since when it began, on the system clock. */
  expire(socket: HttpSocket, since: number): void {
    if (!this.#overdue.has(socket)) {
      this.#overdue.set(socket, new OverdueHead(this, socket, since));
    }
  }

  /** The rest of the headers was there, and this process had not read it. */
  spare(socket: HttpSocket): void {
    this.#overdue.delete(socket);
    // Node has stopped to listen for the connection's errors.
    socket.once('error', (error) => {
      if (!this.#server?.emit('clientError', error, socket)) socket.destroy(error);
    });
  }

  /** One outcome for a connection that is cut. */
  record(elapsedMs: number, status?: number): void {
    const { root } = this;
    const startedAt = root.tree.clock.now() - elapsedMs;
    const scope = new ScopeNode(root.tree, root, 'request', UNROUTED, 'headers', startedAt);
    scope.cancel('deadline', {
      layer: 'headers',
      timeoutMs: this.limitMs,
      message: 'Timed out while reading request headers',
    });
    scope.close({ status });
  }
}
