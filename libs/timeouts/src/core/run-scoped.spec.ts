import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ManualClock } from '../testing/manual-clock.js';
import { shield, withDeadline } from './combinators.js';
import {
  closeApplicationScope,
  currentNode,
  enterScope,
  openApplicationScope,
  openScope,
} from './current-scope.js';
import type { LateWork, Outcome } from './outcome.js';
import { endScope, endScopeDetached } from './run-scoped.js';
import type { Scope } from './scope.js';
import type { ScopeNode } from './scope-node.js';

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

let clock: BlockableClock;
let root: ScopeNode;
let outcomes: Outcome[];
let lateWork: LateWork[];
let unhandled: unknown[];
const onUnhandled = (error: unknown) => unhandled.push(error);

beforeEach(() => {
  clock = new BlockableClock();
  outcomes = [];
  lateWork = [];
  unhandled = [];
  process.on('unhandledRejection', onUnhandled);
  root = openApplicationScope({
    clock,
    listeners: [
      { onOutcome: (outcome) => outcomes.push(outcome), onLate: (work) => lateWork.push(work) },
    ],
  });
});

afterEach(async () => {
  await turn();
  process.off('unhandledRejection', onUnhandled);
  closeApplicationScope(root);
  if (root.children.size > 0) throw new Error('a scope was left open');
  if (unhandled.length > 0) throw unhandled[0];
});

const turn = () => new Promise((resolve) => setImmediate(resolve));
const named = (name: string) => outcomes.filter((outcome) => outcome.name === name);

function deferred<T = void>() {
  let settle!: { resolve: (value: T) => void; reject: (error: unknown) => void };
  const promise = new Promise<T>((resolve, reject) => (settle = { resolve, reject }));
  return { promise, ...settle };
}

describe('work in a scope', () => {
  it.each([
    ['a value', () => 42],
    ['a promise', async () => 42],
    // oxlint-disable-next-line unicorn/no-thenable
    ['a thenable', () => ({ then: (resolve: (value: number) => void) => resolve(42) })],
  ])('gives %s and one outcome', async (_, fn) => {
    await expect(withDeadline('1s', fn as () => Promise<number>, { name: 'work' })).resolves.toBe(
      42,
    );

    expect(outcomes).toHaveLength(1);
    expect(outcomes[0]).toMatchObject({ name: 'work', result: 'completed', late: false });
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('boom');
      },
    ],
    ['rejects', () => Promise.reject(new Error('boom'))],
    [
      'gives a thenable that throws',
      () => ({
        // oxlint-disable-next-line unicorn/no-thenable
        then: () => {
          throw new Error('boom');
        },
      }),
    ],
    [
      'gives a thenable that cannot be read',
      () => ({
        // oxlint-disable-next-line unicorn/no-thenable
        get then() {
          throw new Error('boom');
        },
      }),
    ],
  ])('rejects when it %s, with one outcome', async (_, fn) => {
    await expect(withDeadline('1s', fn as () => never, { name: 'work' })).rejects.toThrow('boom');

    expect(outcomes).toHaveLength(1);
    expect(outcomes[0]).toMatchObject({ result: 'failed', error: new Error('boom'), late: false });
  });

  it('is in its scope also where a lazy thenable starts in then', async () => {
    let seen: ScopeNode | undefined;
    let scope: ScopeNode | undefined;
    const lazy = {
      // oxlint-disable-next-line unicorn/no-thenable
      then(resolve: (value: string) => void) {
        seen = currentNode();
        resolve('rows');
      },
    };
    const subclassed = Promise.resolve('rows');
    const then = subclassed.then.bind(subclassed) as (...args: unknown[]) => unknown;
    // oxlint-disable-next-line unicorn/no-thenable
    subclassed.then = ((...args: unknown[]) => {
      seen = currentNode();
      return then(...args);
    }) as typeof subclassed.then;

    for (const query of [lazy, subclassed]) {
      seen = scope = undefined;
      await withDeadline('1s', (block) => {
        scope = block as ScopeNode;
        return query as PromiseLike<string>;
      });

      expect(seen).toBe(scope);
      expect(scope).toBeDefined();
    }
  });

  it('rejects at the cancel although the work goes on, and tells when that stops', async () => {
    const work = deferred();
    const answer = withDeadline('1s', () => work.promise, { name: 'stubborn' });

    clock.advance('1s');
    await expect(answer).rejects.toMatchObject({ scopeName: 'stubborn', reason: 'deadline' });
    expect(outcomes).toMatchObject([{ name: 'stubborn', result: 'deadline', late: true }]);
    expect(root.children.size).toBe(1);
    clock.advance(500);
    work.reject(new Error('too late'));
    await turn();

    expect(lateWork).toEqual([
      {
        kind: 'block',
        name: 'stubborn',
        layer: 'job',
        reason: 'deadline',
        overrunMs: 500,
        error: new Error('too late'),
      },
    ]);
    expect(root.children.size).toBe(0);
  });

  it('does not count as late when it unwinds within 25 ms of its cancel', async () => {
    const work = deferred();
    const answer = withDeadline('1s', () => work.promise);

    clock.advance(1_025);
    work.resolve();

    await expect(answer).rejects.toMatchObject({ reason: 'deadline' });
    expect(lateWork).toEqual([]);
  });

  it('gives one outcome when the alarm rings in the tick in which the work settles', async () => {
    for (const settleFirst of [true, false]) {
      const work = deferred();
      const answer = withDeadline('1s', () => work.promise, { name: `edge ${settleFirst}` });
      if (settleFirst) work.resolve();
      clock.advance('1s');
      if (!settleFirst) work.resolve();

      await expect(answer).rejects.toMatchObject({ reason: 'deadline' });
      await turn();
      expect(named(`edge ${settleFirst}`)).toHaveLength(1);
    }
  });

  it('is not started in a cancelled scope', async () => {
    const scope = openScope(root, 'block', 'over');
    scope.cancel('disconnect');
    const fn = jest.fn();

    const answer = enterScope(scope, () => withDeadline('1s', fn, { name: 'never' }));

    await expect(answer).rejects.toBe(scope.error);
    expect(fn).not.toHaveBeenCalled();
    expect(named('never')).toMatchObject([{ result: 'disconnect', late: false }]);
    scope.close();
  });

  it('may cancel its own scope', async () => {
    const answer = withDeadline('1s', (scope) => {
      scope.cancel('explicit', 'changed my mind');
      return 1;
    });

    await expect(answer).rejects.toMatchObject({ message: 'changed my mind' });
    expect(outcomes).toMatchObject([{ result: 'explicit', late: false }]);
  });

  it('keeps its own error when it fails after a deadline that nobody noticed', async () => {
    const answer = withDeadline('1s', () => {
      clock.block(2_000);
      throw new Error('boom');
    });

    await expect(answer).rejects.toThrow('boom');
  });

  it('S12 work that finished before its deadline is a success even when the timer is noticed first', async () => {
    const answer = withDeadline('1s', () => 'done', { name: 'quick' });
    clock.advance('5s');

    await expect(answer).resolves.toBe('done');
    expect(named('quick')).toMatchObject([{ result: 'completed' }]);
  });

  it('S12 a deadline that passes during the cleanups changes nothing', async () => {
    const cleanup = deferred();
    const outer = withDeadline(
      500,
      () =>
        withDeadline(
          100,
          (scope) => {
            scope.defer(() => cleanup.promise);
            return 'done';
          },
          { name: 'inner' },
        ),
      { name: 'outer', fallback: () => 'outer gave up' },
    );
    await turn();

    clock.advance(600);
    cleanup.resolve();

    await expect(outer).resolves.toBe('outer gave up');
    await turn();
    expect(named('inner')).toMatchObject([{ result: 'completed', durationMs: 0, budgetMs: 100 }]);
  });

  it.each([
    ['sync', () => clock.block(100)],
    [
      'async',
      async () => {
        await Promise.resolve();
        clock.block(100);
      },
    ],
  ])('S12 %s work that blocks the loop past its deadline is no success', async (_, fn) => {
    const answer = withDeadline(100, fn, { name: 'blocker' });

    await expect(answer).rejects.toMatchObject({ scopeName: 'blocker', reason: 'deadline' });
    expect(outcomes).toMatchObject([{ result: 'deadline', late: false }]);
  });

  it('S12 the outcome names the delay of a blocked loop', async () => {
    await withDeadline(100, () => clock.block(350)).catch(() => {});

    expect(outcomes).toMatchObject([{ loopDelayMs: 250, durationMs: 350, timeoutMs: 100 }]);
  });
});

describe('defer', () => {
  const endings: [string, (scope: Scope) => unknown][] = [
    ['completes', () => 1],
    ['fails', () => Promise.reject(new Error('boom'))],
    [
      'is cancelled',
      (scope) => {
        scope.cancel();
        return new Promise((resolve) => (scope as ScopeNode).onCancel(() => resolve(1)));
      },
    ],
    [
      'runs out of time',
      (scope) => {
        clock.advance('1s');
        return new Promise((resolve) => (scope as ScopeNode).onCancel(() => resolve(1)));
      },
    ],
  ];

  it.each(endings)('S10 runs LIFO, once, awaited, when the work %s', async (_, fn) => {
    const order: string[] = [];
    const answer = withDeadline('1s', (scope) => {
      for (const name of ['a', 'b', 'c']) {
        scope.defer(async () => {
          order.push(name);
          await turn();
          order.push(name.toUpperCase());
        });
      }
      return fn(scope);
    });

    await answer.catch(() => {});
    expect(order).toEqual(['c', 'C', 'b', 'B', 'a', 'A']);
    await turn();
    expect(order).toHaveLength(6);
  });

  it('S10 is free of the cancellation it follows, and in flight until it is done', async () => {
    const release = deferred();
    let budgetMs = 0;
    const answer = withDeadline('1s', (scope) => {
      scope.defer(async () => {
        budgetMs = currentNode().budgetMs();
        await release.promise;
      });
      return new Promise(() => {});
    }).catch(() => 'over');

    clock.advance('1s');
    await turn();
    expect(budgetMs).toBe(1_000);
    expect(root.children.size).toBeGreaterThan(0);
    release.resolve();

    expect(await answer).toBe('over');
    for (const scope of root.children) scope.release();
  });

  it('S10 a defer inside a cleanup runs too, on the scope that ends and on the one of the cleanup', async () => {
    const order: string[] = [];
    await withDeadline('1s', (scope) => {
      scope.defer(() => order.push('first'));
      scope.defer(() => {
        scope.defer(() => order.push('nested'));
        currentNode().defer(() => order.push('nested in the cleanup'));
      });
    });

    expect(order).toEqual(['nested in the cleanup', 'nested', 'first']);
  });

  it('S10 after the end runs at once', async () => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const ran = jest.fn();
    let ended: ScopeNode | undefined;
    await withDeadline('1s', (scope) => {
      ended = scope as ScopeNode;
      scope.defer(() => {});
    });

    ended!.defer(ran);
    ended!.defer(() => {
      throw new Error('sync');
    });
    ended!.defer(() => Promise.reject(new Error('async')));
    await turn();

    expect(ran).toHaveBeenCalledTimes(1);
    expect(warned).toHaveBeenCalledTimes(2);
    warned.mockRestore();
  });

  it('S10 a cleanup that hangs is given up after a second, and the rest still runs', async () => {
    const order: string[] = [];
    const answer = withDeadline('5s', (scope) => {
      scope.defer(() => order.push('last'));
      scope.defer(() => new Promise(() => {}));
      scope.defer(() => order.push('first'));
      return 'done';
    });
    await turn();

    clock.advance(999);
    await turn();
    expect(order).toEqual(['first']);
    clock.advance(1);

    await expect(answer).rejects.toMatchObject({
      scopeName: 'cleanup of block',
      reason: 'deadline',
    });
    expect(order).toEqual(['first', 'last']);
    for (const scope of root.children) scope.release();
  });

  it('S10 errors are collected and do not hide the first', async () => {
    const fail = (message: string) => () => Promise.reject(new Error(message));
    const answer = withDeadline('1s', (scope) => {
      scope.defer(fail('one'));
      scope.defer(fail('two'));
      throw new Error('the first');
    });

    await expect(answer).rejects.toThrow('the first');
    expect(outcomes.at(-1)).toMatchObject({
      result: 'failed',
      error: new Error('the first'),
      cleanupErrors: [new Error('two'), new Error('one')],
    });
  });

  it('S10 without any other error those of the cleanups are thrown', async () => {
    const failing = (count: number) =>
      withDeadline('1s', (scope) => {
        for (let i = 1; i <= count; i++) scope.defer(() => Promise.reject(new Error(`e${i}`)));
      });

    await expect(failing(1)).rejects.toThrow('e1');
    await expect(failing(2)).rejects.toMatchObject({ errors: [new Error('e2'), new Error('e1')] });
  });

  it('S10 an error after the time for cleanups is over is a warning', async () => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const hanging = deferred();
    const answer = withDeadline('5s', (scope) => scope.defer(() => hanging.promise));
    await turn();

    clock.advance('1s');
    await expect(answer).rejects.toMatchObject({ reason: 'deadline' });
    hanging.reject(new Error('at last'));
    await turn();

    expect(warned).toHaveBeenCalledWith(expect.stringContaining('at last'), expect.anything());
    warned.mockRestore();
  });

  it('S10 ending a scope twice runs its cleanups once and gives one outcome', async () => {
    const scope = openScope(root, 'request', 'GET /');
    const cleanup = jest.fn(turn);
    scope.defer(cleanup);

    endScopeDetached(scope);
    await endScope(scope);
    await turn();
    await turn();

    expect(cleanup).toHaveBeenCalledTimes(1);
    expect(named('GET /')).toHaveLength(1);
  });

  it('S09 a shield inside a cleanup has its own budget', async () => {
    const long = deferred<string>();
    let shielded: Promise<string> | undefined;
    const answer = withDeadline('1s', (scope) => {
      scope.defer(() => {
        shielded = shield('10s', () => long.promise);
      });
      scope.cancel();
    });
    await expect(answer).rejects.toMatchObject({ reason: 'explicit' });

    clock.advance('9s');
    long.resolve('released');

    await expect(shielded).resolves.toBe('released');
  });
});

describe('outcome listeners', () => {
  it('that throw disturb nobody', async () => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const fails = () => {
      throw new Error('listener');
    };
    const heard: Outcome[] = [];
    const app = openApplicationScope({
      clock,
      listeners: [{ onOutcome: fails }, { onOutcome: (outcome) => heard.push(outcome) }],
    });

    await expect(withDeadline('1s', () => 1)).resolves.toBe(1);

    expect(heard).toHaveLength(1);
    expect(warned).toHaveBeenCalledTimes(1);
    closeApplicationScope(app);
    warned.mockRestore();
  });
});
