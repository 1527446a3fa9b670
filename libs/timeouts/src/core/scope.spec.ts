import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ManualClock } from '../testing/manual-clock.js';
import {
  closeApplicationScope,
  enterScope,
  openApplicationScope,
  openScope,
} from './current-scope.js';
import type { CancelReason } from './errors.js';
import { CancelledError, DeadlineExceededError, isCancelled } from './errors.js';
import type { Outcome } from './outcome.js';
import type { ScopeNode } from './scope-node.js';

let clock: ManualClock;
let root: ScopeNode;
let outcomes: Outcome[];

beforeEach(() => {
  clock = new ManualClock();
  outcomes = [];
  root = openApplicationScope({
    clock,
    listeners: [{ onOutcome: (outcome) => outcomes.push(outcome) }],
  });
});

afterEach(() => closeApplicationScope(root));

const block = (parent: ScopeNode, name: string, timeoutMs?: number) =>
  openScope(parent, 'block', name, timeoutMs);

/** A clock that can run on without ringing, as it does while the event loop is blocked. */
class BlockableClock extends ManualClock {
  #blockedMs = 0;

  block(ms: number): void {
    this.#blockedMs += ms;
  }

  override now(): number {
    return super.now() + this.#blockedMs;
  }
}

describe('deadlines', () => {
  it('S01 inner longer than outer fires at the outer and names the outer', () => {
    const outer = block(root, 'outer', 100);
    const inner = block(outer, 'inner', 5_000);

    clock.advance(99.9);
    expect(inner.reason).toBeUndefined();
    clock.advance(0.1);

    expect(inner.reason).toBe('deadline');
    expect(inner.error).toMatchObject({ scopeName: 'outer', timeoutMs: 100, elapsedMs: 100 });
    expect(inner.error).toBe(outer.error);
    expect(inner.error).toBeInstanceOf(DeadlineExceededError);
  });

  it('S01 of equal deadlines the outer one is named, however the expiry is noticed', () => {
    const late = new BlockableClock();
    const app = openApplicationScope({ clock: late });
    const pairs = [1, 2].map(() => {
      const outer = block(app, 'outer', 100);
      return { outer, inner: block(outer, 'inner', 100) };
    });

    late.block(100);
    pairs[0]!.inner.expireIfOverdue();
    late.advance(100);

    expect(pairs.map(({ inner }) => inner.error?.scopeName)).toEqual(['outer', 'outer']);
    closeApplicationScope(app);
  });

  it('S02 inner shorter leaves the outer intact', () => {
    const outer = block(root, 'outer', 1_000);
    const inner = block(outer, 'inner', 100);

    clock.advance(100);

    expect(inner.error).toMatchObject({ scopeName: 'inner', code: 'job_timeout' });
    expect(outer.reason).toBeUndefined();
    expect(outer.budgetMs()).toBe(900);
  });

  it.each([
    ['inner', 100, 200],
    ['outer', 200, 100],
  ])(
    'S01 both overdue behind a blocked loop: %s came first and is named',
    (first, innerMs, outerMs) => {
      const late = new BlockableClock();
      const app = openApplicationScope({ clock: late });
      const outer = block(app, 'outer', outerMs);
      const inner = block(outer, 'inner', innerMs);

      late.block(300);

      expect(inner.expireIfOverdue()).toBe(true);
      expect(inner.error).toMatchObject({ scopeName: first, timeoutMs: 100 });
      expect(inner.cancellation!.loopDelayMs).toBe(200);
      expect(outer.expireIfOverdue()).toBe(true);
      expect(outer.error!.scopeName).toBe('outer');
      closeApplicationScope(app);
    },
  );

  it('S01 an inner deadline that came first is named even when the outer alarm rings first', () => {
    const late = new BlockableClock();
    const app = openApplicationScope({ clock: late });
    const outer = block(app, 'outer', 200);
    const inner = block(outer, 'inner', 100);
    const innermost = block(inner, 'innermost', 150);
    const sibling = block(outer, 'sibling', 250);

    late.block(300);
    outer.ring();

    expect([outer, inner, innermost, sibling].map((scope) => scope.error!.scopeName)).toEqual([
      'outer',
      'inner',
      'inner',
      'outer',
    ]);
    closeApplicationScope(app);
  });

  it('S05 extend, setDeadline and clearDeadline return false once expired, cancelled or ended', () => {
    const expired = block(root, 'expired', 100);
    const cancelled = block(root, 'cancelled', 1_000);
    const ended = block(root, 'ended', 1_000);
    clock.advance(100);
    cancelled.cancel();
    ended.close();

    for (const scope of [expired, cancelled, ended]) {
      expect(scope.extend('1s')).toBe(false);
      expect(scope.setDeadline('1s')).toBe(false);
      expect(scope.clearDeadline()).toBe(false);
    }
    expect(expired.budgetMs()).toBe(0);
  });

  it('S05 an expiry that a blocked loop hid is an expiry: nothing moves it any more', () => {
    const late = new BlockableClock();
    const app = openApplicationScope({ clock: late });
    const scope = block(app, 'late', 100);

    late.block(100);

    expect(scope.extend('1s')).toBe(false);
    expect(scope.reason).toBe('deadline');
    closeApplicationScope(app);
  });

  it('S05 no deadline outlasts the parent, also after the parent moved its own', () => {
    const parent = block(root, 'parent', 1_000);
    const child = block(parent, 'child', 500);

    expect(child.setDeadline('1h')).toBe(true);
    expect(child.budgetMs()).toBe(1_000);
    parent.setDeadline(200);
    expect(child.budgetMs()).toBe(200);
    expect(child.clearDeadline()).toBe(true);
    expect(child.budgetMs()).toBe(200);
    parent.extend(100);
    expect(child.setDeadline(250)).toBe(true);
    expect(child.budgetMs()).toBe(250);
    parent.clearDeadline();
    clock.advance(250);

    expect(child.error!.scopeName).toBe('child');
    expect(parent.reason).toBeUndefined();
  });

  it('S05 a deadline has none of its ended ancestors', () => {
    const parent = block(root, 'parent', 100);
    const child = block(parent, 'child', 1_000);

    parent.close();
    clock.advance(500);

    expect(child.reason).toBeUndefined();
    expect(child.budgetMs()).toBe(500);
  });

  it('S05 extend without a deadline leaves it without one', () => {
    const scope = block(root, 'free');

    expect(scope.extend('1s')).toBe(true);

    expect(scope.deadline).toBe(Infinity);
    expect(scope.timeoutMs).toBe(Infinity);
  });

  it('keeps limits of more than 2^31-1 ms', () => {
    const scope = block(root, 'month', 2 ** 31);

    clock.advance(2 ** 31 - 1);
    expect(scope.budgetMs()).toBe(1);
    clock.advance(1);

    expect(scope.reason).toBe('deadline');
  });

  it('limitFromStart counts what is gone already', () => {
    const scope = block(root, 'late');
    clock.advance(300);

    scope.limitFromStart(1_000);
    expect(scope.budgetMs()).toBe(700);
    scope.limitFromStart(200);

    expect(scope.throwIfCancelled.bind(scope)).toThrow(DeadlineExceededError);
  });

  it('suspends every deadline while the tree says so', () => {
    let suspended = true;
    const app = openApplicationScope({ clock, isSuspended: () => suspended });
    const scope = block(app, 'debugged', 100);

    clock.advance(60_000);
    expect(scope.expireIfOverdue()).toBe(false);
    expect(scope.budgetMs()).toBe(Infinity);
    suspended = false;
    expect(scope.budgetMs()).toBe(0);
    clock.advance(1_000);

    expect(scope.reason).toBe('deadline');
    closeApplicationScope(app);
  });
});

describe('cancel', () => {
  it('S03 the first reason wins', () => {
    const parent = block(root, 'parent', 100);
    const child = block(parent, 'child');

    expect(child.cancel('disconnect')).toBe(true);
    expect(child.cancel('explicit')).toBe(false);
    clock.advance(100);
    root.cancel('shutdown');

    expect(child.reason).toBe('disconnect');
    expect(parent.reason).toBe('deadline');
    expect(root.reason).toBe('shutdown');
    expect(child.error).toBe(child.error);
    expect(child.signal.reason).toBe(child.error);
  });

  it('S03 a scope that ended is not cancelled any more', () => {
    const parent = block(root, 'parent');
    const child = block(parent, 'child');
    child.close();

    expect(child.cancel()).toBe(false);
    parent.cancel();

    expect(child.reason).toBeUndefined();
    expect(child.signal.aborted).toBe(false);
    expect(() => child.throwIfCancelled()).not.toThrow();
  });

  it('asks nothing of an ended scope whose parent is overdue', () => {
    const late = new BlockableClock();
    const app = openApplicationScope({ clock: late });
    const parent = block(app, 'parent', 100);
    const child = block(parent, 'child');
    child.close();

    late.block(200);

    expect(() => child.throwIfCancelled()).not.toThrow();
    closeApplicationScope(app);
  });

  it('S03 reaches every scope below, and those opened later', () => {
    const parent = block(root, 'parent');
    const child = block(parent, 'child');
    const grandchild = block(child, 'grandchild');
    child.close();

    parent.cancel('disconnect');
    const late = block(parent, 'late', 50);
    const later = block(late, 'later');

    for (const scope of [grandchild, late, later]) {
      expect(scope.reason).toBe('disconnect');
      expect(scope.error).toBe(parent.error);
      expect(scope.budgetMs()).toBe(0);
    }
  });

  it('S03 marks the whole tree before anybody is told', () => {
    const parent = block(root, 'parent');
    const [first, second] = [block(parent, 'first'), block(parent, 'second')];
    const seen: unknown[] = [];
    first.onCancel(() =>
      seen.push(second.reason, second.signal.aborted, block(second, 'x').reason),
    );

    parent.cancel('disconnect');

    expect(seen).toEqual(['disconnect', true, 'disconnect']);
  });

  it('S04 a listener added after the cancel runs', () => {
    const scope = block(root, 'block');
    scope.cancel('disconnect');
    const listener = jest.fn();

    const stop = scope.onCancel(listener);
    stop();

    expect(listener).toHaveBeenCalledTimes(1);
    expect(scope.signal.aborted).toBe(true);
    expect(scope.signal.reason).toBe(scope.error);
  });

  it('S04 a listener added by a listener runs, one taken back does not', () => {
    const scope = block(root, 'block');
    const [added, takenBack] = [jest.fn(), jest.fn()];
    scope.onCancel(() => scope.onCancel(added));
    scope.onCancel(() => stop());
    const stop = scope.onCancel(takenBack);

    scope.cancel();
    scope.cancel();

    expect(added).toHaveBeenCalledTimes(1);
    expect(takenBack).not.toHaveBeenCalled();
  });

  it('a throwing listener or edge keeps nobody else from being told', () => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const parent = block(root, 'parent');
    const child = block(parent, 'child');
    const told = jest.fn();
    parent.edge = {
      policy: { statementMs: Infinity },
      onCancel: () => {
        throw new Error('edge');
      },
      outgrewDeadline: () => false,
    };
    parent.onCancel(() => {
      throw new Error('listener');
    });
    parent.onCancel(told);
    child.signal.addEventListener('abort', told);

    parent.cancel();

    expect(told).toHaveBeenCalledTimes(2);
    expect(warned).toHaveBeenCalledTimes(2);
    warned.mockRestore();
  });

  it('a cancel inside a listener changes nothing for the scope, and still reaches its parent', () => {
    const parent = block(root, 'parent');
    const child = block(parent, 'child');
    const sibling = block(parent, 'sibling');
    const results: boolean[] = [];
    child.onCancel(() => results.push(child.cancel('disconnect'), parent.cancel('disconnect')));

    child.cancel('explicit');

    expect(results).toEqual([false, true]);
    expect([child.reason, parent.reason, sibling.reason]).toEqual([
      'explicit',
      'disconnect',
      'disconnect',
    ]);
  });

  it('an edge that ends the scope while it is told does not silence the listeners', () => {
    const scope = block(root, 'request');
    const told = jest.fn();
    scope.edge = {
      policy: { statementMs: Infinity },
      onCancel: () => scope.close(),
      outgrewDeadline: () => false,
    };
    scope.onCancel(told);
    const { signal } = scope;

    scope.cancel('disconnect');

    expect(told).toHaveBeenCalledTimes(1);
    expect(signal.aborted).toBe(true);
    expect(outcomes.map(({ result }) => result)).toEqual(['disconnect']);
  });

  it('an edge that outgrew the deadline is not cancelled by it', () => {
    const scope = block(root, 'stream', 100);
    scope.edge = {
      policy: { statementMs: Infinity },
      onCancel: () => {},
      outgrewDeadline: () => {
        scope.moveDeadline(clock.now() + 1_000);
        return true;
      },
    };

    clock.advance(1_050);

    expect(scope.reason).toBeUndefined();
    expect(scope.budgetMs()).toBe(50);
  });

  it('is for shutdown alone where the scope is an application, which has no deadline either', () => {
    const request = block(root, 'request');

    expect(root.cancel()).toBe(false);
    expect(root.cancel('disconnect')).toBe(false);
    expect(root.setDeadline('1s')).toBe(false);
    expect(root.extend('1s')).toBe(false);
    clock.advance('2s');
    expect(request.reason).toBeUndefined();
    expect(root.cancel('shutdown')).toBe(true);

    expect(request.error).toMatchObject({ code: 'shutting_down', layer: 'shutdown' });
  });

  it('spares cleanup scopes and what is below them', () => {
    const cleanup = openScope(root, 'cleanup', 'cleanup', 100);
    const below = block(cleanup, 'below', 500);

    root.cancel('shutdown');
    expect(openScope(root, 'cleanup', 'another', 100).reason).toBeUndefined();
    expect(below.reason).toBeUndefined();
    clock.advance(100);

    expect(below.error).toMatchObject({ reason: 'deadline', scopeName: 'cleanup' });
  });

  it('survives a tree 20,000 levels deep', () => {
    let deepest = block(root, 'top', 100);
    for (let level = 0; level < 20_000; level++) deepest = block(deepest, 'level');

    clock.advance(100);

    expect(deepest.error!.scopeName).toBe('top');
  });
});

describe('the error', () => {
  const errorOf = (reason: CancelReason, message?: string) => {
    const scope = block(root, 'loadUser', 1_500);
    if (reason === 'deadline') clock.advance(1_500);
    else scope.cancel(reason, message);
    return scope.error!;
  };

  it.each([
    ['deadline', 'job_timeout', 'loadUser did not complete within 1.5s'],
    ['disconnect', 'client_disconnected', 'loadUser was cancelled: the client disconnected'],
    ['shutdown', 'shutting_down', 'The server is shutting down'],
    ['explicit', 'cancelled', 'loadUser was cancelled: nobody needs its result any more'],
  ] as const)('says who and why for %s', (reason, code, message) => {
    const error = errorOf(reason);

    expect(error).toMatchObject({ reason, code, message, scopeName: 'loadUser' });
    expect(error instanceof DeadlineExceededError).toBe(reason === 'deadline');
    expect(error.name).toBe(reason === 'deadline' ? 'DeadlineExceededError' : 'CancelledError');
    expect(error.timeoutMs).toBe(reason === 'deadline' ? 1_500 : Infinity);
    expect(isCancelled(error)).toBe(true);
  });

  it('takes the message it is given, has no stack frames, and leaves those of others alone', () => {
    const error = errorOf('explicit', 'not wanted');

    expect(error.message).toBe('not wanted');
    expect(error.stack).not.toContain(' at ');
    expect(new Error('other').stack).toContain(' at ');
  });

  it.each([
    [new DOMException('aborted', 'AbortError'), false],
    [new DOMException('timed out', 'TimeoutError'), false],
    [new Error('wrapped', { cause: Object.create(CancelledError.prototype) }), false],
    [undefined, false],
    [null, false],
    ['cancelled', false],
    [Object.create(CancelledError.prototype), true],
  ])('isCancelled(%p) is %p', (error, expected) => {
    expect(isCancelled(error)).toBe(expected);
  });
});

describe('the signal', () => {
  it('is made on first use and stays the same', () => {
    const scope = block(root, 'block', 100);
    const { signal } = scope;

    clock.advance(100);

    expect(scope.signal).toBe(signal);
    expect(signal.reason).toBe(scope.error);
  });

  it('S14 takes 1,000 parallel listeners without a MaxListenersExceededWarning', async () => {
    const warnings: Error[] = [];
    const onWarning = (warning: Error) => warnings.push(warning);
    process.on('warning', onWarning);
    const { signal } = block(root, 'block');
    let aborted = 0;

    for (let i = 0; i < 1_000; i++) signal.addEventListener('abort', () => aborted++);
    root.cancel('shutdown');
    await new Promise(setImmediate);
    process.off('warning', onWarning);

    expect(aborted).toBe(1_000);
    expect(warnings).toEqual([]);
  });
});

describe('being in flight', () => {
  it('lasts until the scope and everything below it has ended', () => {
    const parent = block(root, 'parent');
    const child = block(parent, 'child');
    const idle = jest.fn();
    root.children.onEmpty(idle);

    parent.close();
    expect(root.children.size).toBe(1);
    child.hold();
    child.close();
    expect(root.children.size).toBe(1);
    child.release();

    expect(root.children.size).toBe(0);
    expect(idle).toHaveBeenCalledTimes(1);
  });

  it('ends once: a second close gives no second outcome', () => {
    const scope = block(root, 'block', 100);

    scope.close({ failed: true, error: 'boom' });
    scope.close();

    expect(outcomes).toHaveLength(1);
    expect(outcomes[0]).toMatchObject({ result: 'failed', error: 'boom', budgetMs: 100 });
  });

  it('leaves no alarm behind', () => {
    const scope = block(root, 'block', 100);
    const rung = jest.spyOn(scope, 'ring');

    scope.setDeadline(50);
    scope.close();
    clock.advance('1h');

    expect(rung).not.toHaveBeenCalled();
  });
});

describe('entering a scope', () => {
  it('passes arguments and result through', () => {
    const sum = enterScope(root, (a: number, b: number) => a + b, 1, 2);

    expect(sum).toBe(3);
  });
});
