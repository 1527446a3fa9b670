import { runIn, scopeOfCaller } from './caller-scope.js';
import type { Desk } from './checkout.js';
import { Checkout } from './checkout.js';
import { deadlineClient, guardOf } from './deadline-client.js';
import { EngineContext } from './engine-context.js';
import type { EngineSettings } from './engine-settings.js';
import { PermitGate } from './permit-gate.js';
import type { ConnectCallback, PgClient, PgDriver, PoolClass, PoolOptions } from './pg-classes.js';
import type { PoolStats } from './pool-stats.js';

/** A pool of {@link withDeadlines}: `dataSource.driver.master`, and each of its `slaves`. */
export interface DeadlinePool {
  readonly stats: PoolStats;
}

const contexts = new WeakMap<object, EngineContext>();
const classes = new WeakSet<object>();

/** Whether `pool` has deadlines, so that it has `stats`. */
export function isDeadlinePool<P>(pool: P): pool is P & DeadlinePool {
  return typeof pool === 'object' && pool !== null && contexts.has(pool);
}

/** Whether a data source with `driver` will have pools with deadlines, once it has any. */
export function makesDeadlinePools(driver: unknown): boolean {
  const { Pool } = (driver ?? {}) as { Pool?: unknown };
  return typeof Pool === 'function' && classes.has(Pool);
}

/** What the connections of a pool with deadlines share. */
export function contextOf(pool: object): EngineContext {
  return contexts.get(pool)!;
}

/** pg's pool, where waiting for a connection ends with the scope of whoever waits. */
export function deadlinePool(driver: PgDriver, settings: EngineSettings): PoolClass {
  return class DeadlinePool extends driver.Pool implements DeadlinePool {
    static {
      classes.add(this);
    }

    readonly stats: PoolStats;
    readonly #gate: PermitGate;
    readonly #desk: Desk;
    /** Released, but still busy with what was cancelled. */
    readonly #draining = new Set<PgClient>();

    constructor(options: PoolOptions = {}) {
      const context = new EngineContext(settings);
      super({ ...options, Client: deadlineClient(options.Client ?? driver.Client, context) });
      contexts.set(this, context);
      this.stats = context.stats;
      this.#gate = new PermitGate(this.options.max!);
      this.#desk = {
        context,
        gate: this.#gate,
        options: this.options,
        hasSpare: () => this.idleCount > super.waitingCount,
        acquire: (callback) => super.connect(callback),
        lend: (client) => this.#lend(client),
      };
      this.once('connect', (client: PgClient) =>
        runIn(undefined, () => context.session.ask(client)),
      );
    }

    /** Those in front of the pool's own queue included. */
    override get waitingCount(): number {
      return super.waitingCount + this.#gate.waiting;
    }

    override connect(callback?: ConnectCallback): unknown {
      if (this.ending) return super.connect(callback);
      if (callback) {
        new Checkout(this.#desk, scopeOfCaller(), callback).begin();
        return undefined;
      }
      const scope = scopeOfCaller();
      return new Promise((resolve, reject) => {
        const settle: ConnectCallback = (error, client) =>
          error ? reject(error) : resolve(client);
        new Checkout(this.#desk, scope, settle).begin();
      }).catch((error: Error) => {
        if (error !== scope?.error) Error.captureStackTrace(error);
        throw error;
      });
    }

    override end(callback?: () => void): unknown {
      const isFirst = !this.ending;
      const ended = super.end(callback);
      if (!isFirst) return ended;
      const over = new Error('Cannot use a pool after calling end on the pool');
      for (const waiter of this.#gate) (waiter as Checkout).refuse(over);
      // Nobody is left to see what they find.
      for (const client of this.#draining) guardOf(client).cancelRunning();
      return ended;
    }

    #lend(client: PgClient): void {
      guardOf(client).begin();
      const release = client.release!;
      let isReleased = false;
      client.release = (error) => {
        if (isReleased) {
          throw new Error('Release called on client which has already been released to the pool.');
        }
        isReleased = true;
        this.#takeBack(client, (fault) => {
          release(error || fault);
          this.#gate.giveBack();
        });
      };
    }

    #takeBack(client: PgClient, release: (fault?: Error) => void): void {
      const guard = guardOf(client);
      if (!guard.isScoped || !guard.context.isGated) {
        release();
        return;
      }
      const isBusy = !guard.isQuiet;
      if (isBusy) {
        this.#draining.add(client);
        // Its user has stopped to listen, and the pool has not begun.
        client.on('error', ignore);
        if (this.ending) guard.cancelRunning();
      }
      guard.whenQuiet((isFit) => {
        this.#draining.delete(client);
        if (!isFit) guard.countDropped();
        release(isFit ? undefined : new Error('The connection was left in a transaction'));
        if (isBusy) client.off('error', ignore);
      });
    }
  };
}

function ignore(): void {}
