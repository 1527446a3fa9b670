import type { Server } from 'node:http';
import type { BeforeApplicationShutdown, OnApplicationShutdown } from '@nestjs/common';
import { Logger } from '@nestjs/common';
import { closeApplicationScope } from '../core/current-scope.js';
import type { ScopeNode } from '../core/scope-node.js';
import type { ShutdownLimits } from '../policy/resolved-options.js';
import { DrainTally } from './drain-tally.js';
import { DrainWait } from './drain-wait.js';
import { DrainedServer } from './drained-server.js';
import type { DownSignal, SignalHearer } from './process-signals.js';
import { hearSignals, isSignalHeardElsewhere } from './process-signals.js';

/** Where the application is on its way down. */
export type DrainState = 'running' | 'draining' | 'forced' | 'closed';

/** What was cancelled may clean up for this long. */
const CLEANUP_LIMIT_MS = 2_000;

/** A process that was told twice is gone after this, whatever hangs in it. */
const FORCED_EXIT_MS = 3_000;

/** A terminal and npm both pass on one Ctrl-C. */
const SAME_SIGNAL_WITHIN_MS = 100;

/**
 * Takes the application down without losing what is in flight: readiness fails at once, requests are
 * served for `shutdown.readinessDelay` more (after a signal only), nothing new is accepted, what runs
 * has `shutdown.grace` to finish, and the rest is cancelled with reason `shutdown`. All of that
 * happens before any other module is told to close its clients. A second signal cuts it short.
 *
 * @example
 * constructor(private readonly drain: DrainService) {}
 *
 * isReady() {
 *   return this.drain.state === 'running';
 * }
 */
export class DrainService implements BeforeApplicationShutdown, OnApplicationShutdown {
  readonly #logger = new Logger('Timeouts');
  readonly #root: ScopeNode;
  readonly #limits: ShutdownLimits;
  readonly #wait: DrainWait;
  /** @internal Ends the connections that are not those of the HTTP server. */
  endConnections: (() => Promise<void>) | undefined;
  #server: DrainedServer | undefined;
  #state: DrainState = 'running';
  #isClosing = false;
  #drained: Promise<void> | undefined;
  #signal: DownSignal | undefined;
  #signalAt = 0;
  #stopHearing: (() => void) | undefined;

  /** @internal */
  constructor(root: ScopeNode, limits: ShutdownLimits) {
    this.#root = root;
    this.#limits = limits;
    this.#wait = new DrainWait(root);
  }

  /** `running`, then `draining`; `forced` once the rest was cancelled; `closed` at the end. */
  get state(): DrainState {
    return this.#state;
  }

  /** Requests, messages, tasks and cleanups that have not ended, late ones included. */
  get inFlight(): number {
    return this.#root.children.size;
  }

  /**
   * Drains the application, as Nest's `close` does by itself: see {@link DrainService}. Asked for
   * alone, it goes on accepting connections. Never rejects; called again, it gives the same promise.
   */
  drain(): Promise<void> {
    return (this.#drained ??= this.#drain());
  }

  /** @internal */
  close(): Promise<void> {
    this.#isClosing = true;
    return this.drain();
  }

  /** @internal */
  watch(server?: Server): void {
    this.#server = server && new DrainedServer(server);
    const onSignal: SignalHearer['onSignal'] = (...heard) => this.#onSignal(...heard);
    this.#stopHearing ??= hearSignals({ onSignal });
    server?.once('listening', () => setImmediate(() => this.#warnIfAlone()));
  }

  async beforeApplicationShutdown(): Promise<void> {
    await this.drain();
  }

  onApplicationShutdown(): void {
    this.#state = 'closed';
    this.#stopHearing?.();
    closeApplicationScope(this.#root);
  }

  #warnIfAlone(): void {
    if (this.#state !== 'running' || isSignalHeardElsewhere('SIGTERM')) return;
    this.#logger.warn(
      'Shutdown hooks are not enabled: on SIGTERM the requests in flight are drained, but no provider ' +
        'hears of it, so nothing else is closed. Call app.enableShutdownHooks() before app.listen()',
    );
  }

  #onSignal(signal: DownSignal, isAlone: boolean): void {
    const now = performance.now();
    if (this.#signal) {
      if (now - this.#signalAt > SAME_SIGNAL_WITHIN_MS) this.#force(signal);
      return;
    }
    this.#signal = signal;
    this.#signalAt = now;
    this.#logger.log(`${signal}: draining, ${this.inFlight} in flight`);
    this.#turnAway();
    if (isAlone) void this.close().then(() => this.#endProcess(signal));
  }

  async #drain(): Promise<void> {
    const { clock } = this.#root.tree;
    const startedAt = clock.now();
    const tally = new DrainTally();
    this.#root.tree.listen(tally);
    this.#turnAway();
    if (this.#signal) await this.#wait.pause(this.#limits.readinessDelayMs);
    if (this.#isClosing) this.#server?.stopAccepting();
    if (!(await this.#isQuiet(tally))) await this.#cancelRest();
    const left = this.inFlight;
    if (this.#isClosing) await this.#closeConnections();
    if (!this.#signal && tally.ended + left === 0) return;
    this.#logger.log(tally.summary((clock.now() - startedAt) / 1_000, left));
  }

  async #closeConnections(): Promise<void> {
    await this.endConnections?.();
    this.#server?.closeConnections();
  }

  /** Readiness fails from here on, and every answer asks its client to come back elsewhere. */
  #turnAway(): void {
    if (this.#state !== 'running') return;
    this.#state = 'draining';
    this.#root.tree.isDraining = true;
    for (const scope of this.#root.children) scope.edge?.onDrain?.();
  }

  /** @returns whether nothing was in flight any more, for `shutdown.quiet` on end, within the grace. */
  async #isQuiet(tally: DrainTally): Promise<boolean> {
    const { graceMs } = this.#limits;
    // Without a signal, as in tests, nobody is there who still sends.
    const quietMs = this.#signal ? this.#limits.quietMs : 0;
    const { clock } = this.#root.tree;
    const end = clock.now() + graceMs;
    while (await this.#wait.idle(end - clock.now())) {
      const { ended } = tally;
      await this.#wait.pause(Math.min(quietMs, end - clock.now()));
      if (this.inFlight === 0 && (tally.ended === ended || clock.now() >= end)) return true;
    }
    return false;
  }

  async #cancelRest(): Promise<void> {
    this.#state = 'forced';
    this.#root.cancel('shutdown');
    await new DrainWait(this.#root).idle(CLEANUP_LIMIT_MS);
  }

  #force(signal: DownSignal): void {
    this.#logger.warn(`${signal} again: not waiting for the ${this.inFlight} in flight`);
    this.#wait.end();
    setTimeout(() => process.exit(1), FORCED_EXIT_MS).unref();
  }

  /** Nobody else will: what was heard is done as if nobody had listened. */
  #endProcess(signal: DownSignal): void {
    this.#stopHearing?.();
    process.kill(process.pid, signal);
  }
}
