import { currentNode, openScope, rootOf } from './current-scope.js';
import type { Duration } from './duration.js';
import { parseDuration } from './duration.js';
import type { CancelledError } from './errors.js';
import type { Ending } from './outcome.js';
import { CLEANUP_LIMIT_MS, isIdleWithin, runScoped } from './run-scoped.js';
import type { Scope } from './scope.js';
import type { ScopeNode } from './scope-node.js';
import { warn } from './scope-tree.js';

/** Work that is given its own scope. */
export type ScopedWork<T> = (scope: Scope) => T | PromiseLike<T>;

/** A limit that also leaves something for what comes after. */
export interface BlockLimit {
  /** At most this long. Default: no limit of its own. */
  readonly timeout?: Duration;
  /** Leave at least this much of the budget around the block. Default: nothing. */
  readonly reserve?: Duration;
}

/** Options of {@link withDeadline}. */
export interface BlockOptions<T> {
  /** Answers in the place of this block when it runs past its own deadline, or could not start. */
  readonly fallback?: (error: CancelledError) => T | PromiseLike<T>;
  /** What the block is called in errors and outcomes. Default: the function's name. */
  readonly name?: string;
}

/**
 * Runs `fn` in a child scope that is cancelled after `limit`, or with the scope around it if that
 * comes first. Rejects with a `DeadlineExceededError` naming the level that expired. With `reserve`
 * the block may use no more than leaves that much of the outer budget; where even that is gone, `fn`
 * is not started.
 *
 * @example
 * const hits = await withDeadline({ timeout: '2s', reserve: '8s' }, () => retrieve(question), {
 *   fallback: () => [],
 * });
 */
export async function withDeadline<T>(
  limit: Duration | BlockLimit,
  fn: ScopedWork<T>,
  options: BlockOptions<T> = {},
): Promise<T> {
  const parent = currentNode();
  const { timeout = Infinity, reserve } = typeof limit === 'object' ? limit : { timeout: limit };
  const timeoutMs = parseDuration(timeout, 'withDeadline');
  const reserveMs = reserve === undefined ? 0 : parseDuration(reserve, 'withDeadline reserve');
  const affordableMs = reserveMs === 0 ? Infinity : Math.max(0, parent.budgetMs() - reserveMs);
  const name = options.name ?? (fn.name || 'block');
  const scope = openScope(parent, 'block', name, Math.min(timeoutMs, affordableMs));
  try {
    return await runScoped(scope, fn);
  } catch (error) {
    // Only this block's own expiry has a stand-in: when the scope around it is over, so is the caller.
    const own = error === scope.error && scope.cancellation?.origin === scope;
    if (options.fallback && own && scope.reason === 'deadline')
      return options.fallback(scope.error!);
    throw error;
  }
}

/**
 * Runs the functions side by side, each in a child scope, and gives their results in order. The
 * first failure cancels the others, waits for them (a second at most) and is what `all` rejects with.
 *
 * @example
 * const [user, orders] = await all([() => loadUser(id), () => loadOrders(id)]);
 */
export async function all<const T extends readonly ScopedWork<unknown>[]>(
  works: T,
): Promise<{ -readonly [K in keyof T]: Awaited<ReturnType<T[K]>> }> {
  const group = new Group('all');
  let ending: Ending | undefined;
  try {
    const results = await Promise.all(group.start(works));
    return results as { -readonly [K in keyof T]: Awaited<ReturnType<T[K]>> };
  } catch (error) {
    ending = { failed: true, error };
    await group.stop('another branch of all() failed');
    throw error;
  } finally {
    group.scope.close(ending);
  }
}

/**
 * Runs the functions side by side, each in a child scope, and settles as the first of them does.
 * The others are cancelled and waited for (a second at most).
 *
 * @example
 * const answer = await race([() => askPrimary(question), () => askReplica(question)]);
 */
export async function race<T>(works: readonly ScopedWork<T>[]): Promise<T> {
  if (works.length === 0) throw new TypeError('race() needs at least one function to run');
  const group = new Group('race');
  let ending: Ending | undefined;
  try {
    return await Promise.race(group.start(works));
  } catch (error) {
    ending = { failed: true, error };
    throw error;
  } finally {
    await group.stop('another branch of race() settled first');
    group.scope.close(ending);
  }
}

class Group {
  readonly scope: ScopeNode;

  constructor(name: string) {
    this.scope = openScope(currentNode(), 'block', name);
  }

  start<T>(works: readonly ScopedWork<T>[]): Promise<T>[] {
    if (works.some((work) => typeof work !== 'function')) {
      throw new TypeError(
        `${this.scope.name}() takes functions, so that each starts in its own scope`,
      );
    }
    return works.map((work, index) => {
      const name = work.name || `${this.scope.name}[${index}]`;
      return runScoped(openScope(this.scope, 'block', name), work);
    });
  }

  async stop(why: string): Promise<void> {
    for (const child of this.scope.children) {
      child.cancel('explicit', `${child.name} was cancelled: ${why}`);
    }
    await isIdleWithin(this.scope, CLEANUP_LIMIT_MS);
  }
}

/**
 * Runs `fn` free of every cancellation and deadline around it, with `duration` of its own: for what
 * must still happen after a cancel. The drain waits for it. Rejects with a `DeadlineExceededError`
 * when `duration` is over.
 *
 * @example
 * try {
 *   await work();
 * } finally {
 *   await shield('2s', () => releaseLock(key));
 * }
 */
export async function shield<T>(
  duration: Duration,
  fn: ScopedWork<T>,
  name = fn.name || 'shield',
): Promise<T> {
  const current = currentNode();
  const ms = parseDuration(duration, 'shield');
  return runScoped(openScope(rootOf(current), 'cleanup', name, ms, current.layer), fn);
}

/**
 * Starts background work that outlives the request: it inherits neither deadline nor cancellation,
 * the drain waits for it, and shutdown cancels it. A failure is in its outcome, and is reported as a
 * process warning; `detach` itself neither waits nor throws.
 *
 * @example
 * detach('audit log', () => audit.write(entry));
 */
export function detach(name: string, fn: ScopedWork<unknown>): void {
  const scope = openScope(rootOf(currentNode()), 'task', name, Infinity, 'job');
  runScoped(scope, fn).catch((error) => {
    if (error !== scope.error) warn(`Detached work "${name}" failed`, error);
  });
}
