import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AlarmHandle } from '../core/clock.js';
import type { Cancellation } from '../core/cancellation.js';
import type { Ending } from '../core/outcome.js';
import { endScopeDetached } from '../core/run-scoped.js';
import type { ScopeEdge } from '../core/scope-edge.js';
import { ScopeNode } from '../core/scope-node.js';
import type { RoutePolicy } from '../policy/route-policy.js';
import { AnswerStream } from './answer-stream.js';
import type { BodyWatch } from './body-watch.js';
import { answerCancel } from './cancel-answer.js';
import { carryExchange, exchangeOf } from './exchange-of.js';
import type { FrameworkReply } from './framework-reply.js';
import { adoptResult } from './handler-result.js';
import type { Handler } from './handler-run.js';
import { HandlerRun, overAlready } from './handler-run.js';
import type { Inbound } from './inbound.js';
import { handlerLimitMs, UNROUTED } from './inbound.js';
import { makeLastAnswer } from './last-answer.js';
import type { RouteTarget } from './route-target.js';
import type { CancelCarrier } from './until-cancelled.js';

/** One HTTP request and its answer: opens the request's scope, enforces it, and ends it. */
export class HttpExchange implements ScopeEdge {
  readonly scope: ScopeNode;
  policy: RoutePolicy;
  target: RouteTarget | undefined;
  reply: FrameworkReply | undefined;
  /** Carries the cancellation to the exception filters in the place of the handler. */
  carrier: CancelCarrier | undefined;
  /** The limit of one operation that the request failed with. */
  limit: Ending['limit'];
  /** There while a body is to come. */
  bodyWatch: BodyWatch | undefined;
  stream: AnswerStream | undefined;
  #run: HandlerRun | undefined;
  #responseClosed = false;
  #clientLeft = false;
  #alarm: AlarmHandle | undefined;

  constructor(
    readonly inbound: Inbound,
    readonly req: IncomingMessage,
    readonly res: ServerResponse,
  ) {
    const { root, defaults } = inbound;
    const { tree } = root;
    const now = tree.clock.now();
    this.policy = defaults;
    this.scope = new ScopeNode(tree, root, 'request', UNROUTED, 'handler', now);
    this.scope.edge = this;
    const limitMs = handlerLimitMs(inbound, defaults, req);
    if (limitMs !== Infinity) this.scope.limitFromStart(limitMs, now);
    carryExchange(res, this);
    res.on('close', onResponseClose);
    if (tree.isDraining) this.onDrain();
  }

  /**
   * The route is known: its policy takes over, measured from the start of the request.
   * @returns false when the request is over already, so that the route must not be entered.
   */
  enterRoute(name: string, policy: RoutePolicy, target: RouteTarget | undefined): boolean {
    const { scope } = this;
    scope.name = name;
    this.target = target;
    if (policy !== this.policy) {
      const isMoved = policy.handlerMarked || this.policy.handlerMarked;
      this.policy = policy;
      this.bodyWatch?.reconsider();
      if (isMoved) scope.limitFromStart(handlerLimitMs(this.inbound, policy, this.req));
    }
    if (scope.cancellation) return false;
    if (target?.writesResponse) this.watchStream();
    return true;
  }

  /** Runs the route's handler, unless the request is over. */
  handle(handler: Handler, self: unknown, args: unknown[]): unknown {
    // One that the handler itself calls is part of the handler's own run.
    if (this.isHandling) return handler.apply(self, args);
    if (this.scope.expireIfOverdue()) return overAlready(this);
    this.#run = new HandlerRun(this);
    return this.#run.start(handler, self, args);
  }

  onCancel({ reason }: Cancellation): void {
    if (reason === 'disconnect') {
      this.carrier?.unsubscribe();
      return;
    }
    if (this.#responseClosed) this.#finish();
    if (!this.isAnswered) answerCancel(this);
  }

  outgrewDeadline(): boolean {
    if (!this.res.headersSent) return this.inbound.routes.allowsMore(this);
    // With interceptors around it, Nest opens a stream of events before there is one.
    if (this.isHandling && this.target?.isEventStream) return false;
    return this.watchStream().begin() || this.res.writableEnded;
  }

  onDrain(): void {
    makeLastAnswer(this.res);
  }

  /** Work that goes on is followed: the handler has not settled. */
  get isHandling(): boolean {
    return this.#run?.isRunning ?? false;
  }

  /** The cancel was answered; whatever comes now comes too late. */
  get isOver(): boolean {
    return this.scope.cancellation !== undefined && this.res.writableEnded;
  }

  /** Nobody reads an answer any more. */
  get isClientGone(): boolean {
    const { req, res, scope } = this;
    if (scope.reason === 'disconnect' || res.destroyed) return true;
    return req.destroyed && !req.complete && res.socket?.destroyed !== false;
  }

  close(): void {
    const { res, scope } = this;
    this.#responseClosed = true;
    if (!res.writableEnded && this.#leftEarly()) return;
    if (!this.isHandling || scope.cancellation) this.#finish();
  }

  /** @param error what the handler failed with when nobody was there to be told. */
  #finish(error?: unknown): void {
    const { scope } = this;
    this.#alarm?.cancel();
    this.stream?.end();
    this.bodyWatch?.end();
    if (this.isHandling) scope.hold();
    const heard = scope.tree.hears((scope.cancellation ?? this.limit) !== undefined);
    endScopeDetached(scope, heard ? this.#ending(error) : undefined);
  }

  #ending(error: unknown): Ending {
    const status = this.#clientLeft ? 499 : this.res.statusCode;
    const failed = error !== undefined || status >= 500;
    return { failed, error, limit: this.limit, status, late: this.isHandling };
  }

  /** @returns true when the route lets its work go on without the client. */
  #leftEarly(): boolean {
    const { res, scope } = this;
    this.#clientLeft = !scope.cancellation || !res.headersSent;
    if (scope.cancellation) return false;
    const { onDisconnect } = this.policy;
    if (this.isHandling && onDisconnect !== 'cancel') {
      if (onDisconnect !== 'continue') this.wakeIn(onDisconnect.graceMs, () => this.#giveUp());
      return true;
    }
    scope.cancel('disconnect');
    return false;
  }

  #giveUp(): void {
    this.scope.cancel('disconnect');
    this.#finish();
  }

  handlerSettled(error: unknown): void {
    if (!this.#responseClosed) return;
    if (this.scope.closed) this.scope.release();
    else this.#finish(error);
  }

  /** The interceptor or Observable that awaits the handler's result has it. */
  carrierSettled(error?: unknown): void {
    this.#run?.settle(error);
  }

  /** It has stopped to wait for it. */
  carrierGone(): void {
    this.#run?.follow();
  }

  adopt(result: unknown): unknown {
    return adoptResult(result, this);
  }

  get isCarried(): boolean {
    return this.carrier !== undefined && !this.carrier.closed;
  }

  get isAnswered(): boolean {
    return this.res.writableEnded || this.res.destroyed;
  }

  /** @returns false when nothing of Nest's is waiting, so that no exception filter would hear of it. */
  tellNest(): boolean {
    if (!this.isCarried) return this.#run?.reject() ?? false;
    this.carrier!.error(this.scope.error);
    return true;
  }

  /** From the first byte on, the limits of a stream hold. */
  watchStream(): AnswerStream {
    return (this.stream ??= new AnswerStream(this.res, this.scope, this.policy.stream));
  }

  wakeIn(ms: number, ring: () => void): void {
    const { clock } = this.scope.tree;
    this.#alarm?.cancel();
    this.#alarm = clock.at(clock.now() + ms, { ring });
  }
}

function onResponseClose(this: ServerResponse): void {
  exchangeOf(this)?.close();
}
