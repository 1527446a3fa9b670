import { enterScope, openScope, rootOf } from './current-scope.js';
import { limitBehind } from './limit-errors.js';
import type { Ending } from './outcome.js';
import { outcomeOf } from './outcome.js';
import type { ScopeNode } from './scope-node.js';
import { attempt, warn } from './scope-tree.js';

/** How long `defer` cleanups, and siblings that were told to stop, are waited for. */
export const CLEANUP_LIMIT_MS = 1_000;

/** Work may take this long to unwind after its cancel before it counts as late. */
export const LATE_AFTER_MS = 25;

/**
 * Runs `fn` inside `scope` and ends the scope with it: with what `fn` gives, or with the scope's
 * error as soon as it is cancelled. An `fn` that goes on regardless is followed as late work.
 */
export async function runScoped<T>(
  scope: ScopeNode,
  fn: (scope: ScopeNode) => T | PromiseLike<T>,
): Promise<T> {
  const run = new ScopedRun(scope, fn);
  try {
    return await run.result;
  } catch (error) {
    run.end({ failed: true, error, late: run.pending });
    throw error;
  } finally {
    if (run.ended) await run.ended;
  }
}

class ScopedRun<T> {
  pending = false;
  readonly result: Promise<T>;
  /** The cleanups of the scope, if it has any. */
  ended: Promise<void> | undefined;

  constructor(
    readonly scope: ScopeNode,
    fn: (scope: ScopeNode) => T | PromiseLike<T>,
  ) {
    this.result = new Promise<T>((resolve, reject) => {
      if (scope.expireIfOverdue()) {
        reject(scope.error!);
        return;
      }
      const stopListening = scope.onCancel(() => reject(scope.error!));
      const settle = (ending?: Ending) => {
        this.pending = false;
        stopListening();
        tellIfLate(scope, ending?.error);
        scope.release();
        // At once: a deadline that passes from now on must not count.
        if (!scope.cancellation) this.end(ending);
      };
      const succeed = (value: T) => {
        scope.expireIfOverdue();
        settle();
        resolve(value);
      };
      const fail = (error: unknown) => {
        settle({ failed: true, error });
        reject(error as Error);
      };
      this.pending = true;
      scope.hold();
      enterScope(scope, start, fn, scope, succeed, fail);
    });
  }

  end(ending?: Ending): void {
    const limit = limitBehind(ending?.error);
    this.ended ??= endScope(this.scope, limit ? { ...ending, limit } : ending);
  }
}

/** A thenable may do its work in `then`, so that is called inside the scope too. */
function start<T>(
  fn: (scope: ScopeNode) => T | PromiseLike<T>,
  scope: ScopeNode,
  succeed: (value: T) => void,
  fail: (error: unknown) => void,
): void {
  try {
    const started = fn(scope);
    if (started instanceof Promise) started.then(succeed, fail);
    else if (isThenable(started)) new Promise<T>((resolve) => resolve(started)).then(succeed, fail);
    else succeed(started);
  } catch (error) {
    fail(error);
  }
}

function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as PromiseLike<T> | undefined | null)?.then === 'function';
}

/** Tells of work that has now settled, if its scope was cancelled well before. */
export function tellIfLate(scope: ScopeNode, error?: unknown): void {
  const { cancellation, kind, name } = scope;
  if (!cancellation) return;
  const overrunMs = scope.tree.clock.now() - cancellation.at;
  if (overrunMs <= LATE_AFTER_MS) return;
  const { layer, reason } = cancellation;
  scope.tree.tellLate({ kind, name, layer, reason, overrunMs, error });
}

/** Ends the scope at once, and gives the promise of its `defer` cleanups if there are any to run. */
export function endScope(scope: ScopeNode, ending?: Ending): Promise<void> | undefined {
  if (scope.hasCleanups && !scope.closed) return cleanUp(scope, ending);
  scope.close(ending);
  return undefined;
}

async function cleanUp(scope: ScopeNode, ending?: Ending): Promise<void> {
  const outcome = outcomeOf(scope, ending);
  scope.hold();
  scope.seal();
  const cleanupErrors = await runCleanups(scope);
  scope.tree.tellOutcome({ ...outcome, cleanupErrors });
  scope.release();
  if (outcome.result === 'completed' && cleanupErrors.length > 0) {
    throw cleanupErrors.length === 1
      ? cleanupErrors[0]
      : new AggregateError(
          cleanupErrors,
          `${cleanupErrors.length} cleanups of ${scope.name} failed`,
        );
  }
}

async function runCleanups(scope: ScopeNode): Promise<unknown[]> {
  const errors: unknown[] = [];
  const name = `cleanup of ${scope.name}`;
  const cleanup = openScope(rootOf(scope), 'cleanup', name, CLEANUP_LIMIT_MS, scope.layer);
  const report = (error: unknown) => {
    if (cleanup.closed) warn(`Cleanup of ${scope.name} failed`, error);
    else errors.push(error);
  };
  const run = new ScopedRun(cleanup, async () => {
    const timeOver = new Promise<void>((resolve) => cleanup.onCancel(resolve));
    const started: Promise<void>[] = [];
    const next = () => cleanup.nextCleanup() ?? scope.nextCleanup();
    for (let fn = next(); fn; fn = next()) {
      const done = attempt(fn, report);
      started.push(done);
      // One that hangs must not keep the rest from being started.
      await Promise.race([done, timeOver]);
    }
    await Promise.all(started);
  });
  await run.result.catch(report);
  run.end({ late: run.pending });
  return errors;
}

/** Ends a scope whose ending nobody awaits. */
export function endScopeDetached(scope: ScopeNode, ending?: Ending): void {
  endScope(scope, ending)?.catch((error) => warn(`Cleanup of ${scope.name} failed`, error));
}

/** Whether everything below the scope is over, `ms` from now at the latest. */
export function isIdleWithin(scope: ScopeNode, ms: number): Promise<boolean> {
  if (scope.children.size === 0) return Promise.resolve(true);
  return new Promise((resolve) => {
    const { clock } = scope.tree;
    const stopListening = scope.children.onEmpty(() => {
      stopListening();
      alarm.cancel();
      resolve(true);
    });
    const alarm = clock.at(clock.now() + ms, {
      ring: () => {
        stopListening();
        resolve(false);
      },
    });
  });
}
