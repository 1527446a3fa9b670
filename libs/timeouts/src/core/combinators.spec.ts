import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ManualClock } from '../testing/manual-clock.js';
import { all, detach, race, shield, withDeadline } from './combinators.js';
import {
  closeApplicationScope,
  currentNode,
  enterScope,
  openApplicationScope,
  openScope,
} from './current-scope.js';
import type { LateWork, Outcome } from './outcome.js';
import type { Scope } from './scope.js';
import type { ScopeNode } from './scope-node.js';

let clock: ManualClock;
let root: ScopeNode;
let outcomes: Outcome[];
let lateWork: LateWork[];
let unhandled: unknown[];
const onUnhandled = (error: unknown) => unhandled.push(error);

beforeEach(() => {
  clock = new ManualClock();
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
  if (unhandled.length > 0) throw unhandled[0];
});

const turn = () => new Promise((resolve) => setImmediate(resolve));
const boom = () => Promise.reject(new Error('boom'));
const resultsByName = () => Object.fromEntries(outcomes.map(({ name, result }) => [name, result]));

/** Work that ends as soon as it is cancelled. */
const cooperative = (scope: Scope) =>
  new Promise<never>((_, reject) => (scope as ScopeNode).onCancel(() => reject(scope.error)));

/** Work that ends when it is told to, whatever happens to its scope. */
function stubborn<T>() {
  const started: ((value: T) => void)[] = [];
  const work = () => new Promise<T>((resolve) => started.push(resolve));
  return { work, finish: (value: T) => started.forEach((resolve) => resolve(value)) };
}

describe('withDeadline', () => {
  it('names the block after its function', async () => {
    await withDeadline('1s', async function loadUser() {});
    await withDeadline('1s', () => {}, { name: 'given' });
    await withDeadline('1s', () => {});

    expect(outcomes.map(({ name }) => name)).toEqual(['loadUser', 'given', 'block']);
  });

  it('refuses what is no duration', async () => {
    await expect(withDeadline(0, () => 1)).rejects.toThrow('withDeadline');
    await expect(withDeadline({ reserve: -1 }, () => 1)).rejects.toThrow('withDeadline reserve');
  });

  it('takes Infinity and none for no limit of its own', async () => {
    const budgets = await withDeadline('2s', () =>
      all([
        () => withDeadline(Infinity, (scope) => scope.budgetMs()),
        () => withDeadline('none', (scope) => scope.budgetMs()),
        () => withDeadline({}, (scope) => scope.budgetMs()),
      ]),
    );

    expect(budgets).toEqual([2_000, 2_000, 2_000]);
  });

  it('S01 inner longer than outer names the outer, whose fallback answers alone', async () => {
    const innerFallback = jest.fn(() => 'inner');
    const answer = withDeadline(
      '1s',
      () => withDeadline('5s', cooperative, { fallback: innerFallback }),
      { name: 'outer', fallback: ({ scopeName }) => `instead of ${scopeName}` },
    );

    clock.advance('1s');

    await expect(answer).resolves.toBe('instead of outer');
    expect(innerFallback).not.toHaveBeenCalled();
  });

  it('S15 fallback answers in place of the expired block and only of that one', async () => {
    const answer = withDeadline('5s', async (outer) => {
      const hits = await withDeadline('1s', cooperative, { fallback: async () => ['cached'] });
      return { hits, left: outer.budgetMs(), in: currentNode() === outer };
    });

    clock.advance('1s');

    await expect(answer).resolves.toEqual({ hits: ['cached'], left: 4_000, in: true });
  });

  it.each([
    ['fails', () => boom(), 'boom'],
    [
      'is cancelled otherwise',
      (scope: Scope) => {
        scope.cancel('explicit', 'not wanted');
      },
      'not wanted',
    ],
  ])('S15 no fallback for a block that %s', async (_, fn, message) => {
    const fallback = jest.fn();

    await expect(withDeadline('1s', fn, { fallback })).rejects.toThrow(message);
    expect(fallback).not.toHaveBeenCalled();
  });

  it('S15 no fallback for the expiry of another block that passes through', async () => {
    const fallback = jest.fn();
    const answer = withDeadline('5s', () => withDeadline('1s', cooperative, { name: 'inner' }), {
      fallback,
    });

    clock.advance('1s');

    await expect(answer).rejects.toMatchObject({ scopeName: 'inner' });
    expect(fallback).not.toHaveBeenCalled();
  });

  it('S15 a fallback that throws is what the block rejects with', async () => {
    const answer = withDeadline('1s', cooperative, { fallback: boom });

    clock.advance('1s');

    await expect(answer).rejects.toThrow('boom');
  });

  it.each([
    ['timeout below what may be used', '2s', '3s', 2_000],
    ['reserve is the tighter one', '8s', '3s', 7_000],
    ['no timeout', undefined, '3s', 7_000],
  ] as const)(
    'S15 reserve is kept for what comes after: %s',
    async (_, timeout, reserve, expected) => {
      const budgetMs = await withDeadline('10s', () =>
        withDeadline({ timeout, reserve }, (scope) => scope.budgetMs()),
      );

      expect(budgetMs).toBe(expected);
    },
  );

  it('S15 reserve means nothing where the budget has no end', async () => {
    const budgetMs = await withDeadline({ reserve: '3s' }, (scope) => scope.budgetMs());

    expect(budgetMs).toBe(Infinity);
  });

  it.each(['10s', '15s'] as const)(
    'S15 a block that cannot keep %s is not started',
    async (reserve) => {
      const fn = jest.fn();

      await withDeadline('10s', async (outer) => {
        const block = withDeadline({ reserve }, fn, { name: 'retrieve' });
        await expect(block).rejects.toMatchObject({ scopeName: 'retrieve', reason: 'deadline' });
        await expect(withDeadline({ reserve }, fn, { fallback: () => 'none' })).resolves.toBe(
          'none',
        );
        expect(outer.reason).toBeUndefined();
      });

      expect(fn).not.toHaveBeenCalled();
    },
  );
});

describe('all', () => {
  it('S06 results in order', async () => {
    const slow = stubborn<string>();
    const answer = all([slow.work, async () => 'second', () => 3]);
    await turn();
    slow.finish('first');

    expect(await answer).toEqual(['first', 'second', 3]);
    expect(resultsByName()).toEqual({
      work: 'completed',
      'all[1]': 'completed',
      'all[2]': 'completed',
      all: 'completed',
    });
    expect(root.children.size).toBe(0);
  });

  it('S06 of nothing is nothing', async () => {
    expect(await all([])).toEqual([]);
    expect(root.children.size).toBe(0);
  });

  it('S06 first failure cancels the siblings and waits for them', async () => {
    const unwound: string[] = [];
    const sibling = async (scope: Scope) => {
      await cooperative(scope).catch(() => {});
      await turn();
      unwound.push(scope.reason!);
      throw new Error('a later failure');
    };

    await expect(all([sibling, boom, sibling])).rejects.toThrow('boom');

    expect(unwound).toEqual(['explicit', 'explicit']);
    expect(resultsByName()).toMatchObject({ all: 'failed', boom: 'failed', sibling: 'explicit' });
    expect(root.children.size).toBe(0);
  });

  it('S06 waits for siblings that ignore their cancel no longer than a second', async () => {
    const { work, finish } = stubborn<void>();
    const failure = all([work, boom]).catch((error: Error) => error.message);
    let settled = false;
    void failure.then(() => (settled = true));
    await turn();

    clock.advance(999);
    await turn();
    expect(settled).toBe(false);
    clock.advance(1);

    expect(await failure).toBe('boom');
    expect(root.children.size).toBe(1);
    finish();
    await turn();
    expect(root.children.size).toBe(0);
    expect(lateWork).toMatchObject([{ name: 'work', reason: 'explicit', overrunMs: 1_000 }]);
  });

  it('S06 waits for the cleanups of the siblings', async () => {
    let released = false;
    const sibling = (scope: Scope) => {
      scope.defer(async () => {
        await turn();
        released = true;
      });
      return cooperative(scope);
    };

    await expect(all([sibling, boom])).rejects.toThrow('boom');

    expect(released).toBe(true);
  });

  it('S06 a function that throws at once is a failure like any other', async () => {
    const throws = () => {
      throw new Error('sync');
    };

    await expect(all([throws, cooperative, throws])).rejects.toThrow('sync');
  });

  it('takes functions only', async () => {
    const started = jest.fn();

    await expect(all([started, Promise.resolve(1) as never])).rejects.toThrow('takes functions');
    await expect(all([started, undefined as never])).rejects.toThrow('takes functions');
    expect(started).not.toHaveBeenCalled();
    expect(root.children.size).toBe(0);
  });

  it('starts nothing in a cancelled scope', async () => {
    const scope = openScope(root, 'block', 'over');
    scope.cancel('disconnect');
    const fn = jest.fn();

    await expect(enterScope(scope, () => all([fn, fn]))).rejects.toBe(scope.error);
    await expect(enterScope(scope, () => race([fn, fn]))).rejects.toBe(scope.error);
    expect(fn).not.toHaveBeenCalled();
    scope.close();
  });

  it('ends with the scope around it', async () => {
    const answer = withDeadline('1s', () => all([cooperative, cooperative]), { name: 'outer' });

    clock.advance('1s');

    await expect(answer).rejects.toMatchObject({ scopeName: 'outer' });
    await turn();
    expect(root.children.size).toBe(0);
  });
});

describe('race', () => {
  it('S07 losers cancelled and awaited', async () => {
    const unwound: string[] = [];
    const loser = async (scope: Scope) => {
      await cooperative(scope).catch(() => {});
      await turn();
      unwound.push(scope.error!.message);
      throw new Error('a loser fails');
    };

    await expect(race([loser, async () => 'first', loser])).resolves.toBe('first');

    expect(unwound).toHaveLength(2);
    expect(unwound[0]).toContain('another branch of race() settled first');
    expect(resultsByName()).toMatchObject({ race: 'completed', loser: 'explicit' });
    expect(root.children.size).toBe(0);
  });

  it('S07 settles as the first does, also when that fails', async () => {
    await expect(race([cooperative, boom])).rejects.toThrow('boom');

    expect(resultsByName()).toMatchObject({ race: 'failed', cooperative: 'explicit' });
  });

  it('S07 losers that ignore their cancel are waited for a second at most', async () => {
    const { work, finish } = stubborn<string>();
    const answer = race([work, async () => 'first']);
    await turn();

    clock.advance('1s');

    await expect(answer).resolves.toBe('first');
    finish('late');
    await turn();
    expect(root.children.size).toBe(0);
  });

  it('S07 of results that are there at once gives the first', async () => {
    await expect(race([() => 1, () => 2, cooperative])).resolves.toBe(1);
  });

  it('S07 needs something to run', async () => {
    await expect(race([])).rejects.toThrow('race() needs');
  });
});

describe('shield', () => {
  it('S09 shield runs after the cancel and ends at its own cap', async () => {
    const seen: number[] = [];
    const cut = jest.fn();
    const answer = withDeadline('1s', async (scope) => {
      try {
        await cooperative(scope);
      } finally {
        await shield('3s', (inner) => {
          seen.push(inner.budgetMs());
          return cooperative(inner);
        }).catch(cut);
      }
    });

    clock.advance('1s');
    await expect(answer).rejects.toMatchObject({ reason: 'deadline' });
    expect(seen).toEqual([3_000]);
    clock.advance(2_999);
    await turn();
    expect(cut).not.toHaveBeenCalled();
    clock.advance(1);
    await turn();

    expect(cut).toHaveBeenCalledWith(expect.objectContaining({ scopeName: 'shield' }));
    expect(root.children.size).toBe(0);
  });

  it('S09 a shield runs during and after a shutdown, and is in flight', async () => {
    root.cancel('shutdown');
    const { work, finish } = stubborn<string>();

    const answer = shield('3s', work);
    expect(root.children.size).toBe(1);
    finish('released');

    await expect(answer).resolves.toBe('released');
  });

  it('S09 blocks inside a shield end with it', async () => {
    root.cancel('shutdown');
    const answer = shield('1s', () => withDeadline('5s', cooperative), 'cleanup');

    clock.advance('1s');

    await expect(answer).rejects.toMatchObject({ scopeName: 'cleanup' });
  });

  it('rejects for what is no duration', async () => {
    await expect(shield(-1, () => {})).rejects.toThrow('shield');
  });
});

describe('detach', () => {
  it('S11 survives the response, does not inherit the deadline, and is waited for by the drain', async () => {
    const request = openScope(root, 'request', 'GET /', 1_000);
    const { work, finish } = stubborn<void>();
    let inside: ScopeNode | undefined;
    enterScope(request, () =>
      detach('audit', (scope) => {
        inside = scope as ScopeNode;
        return work();
      }),
    );

    request.close();
    clock.advance('1h');
    expect(inside!.reason).toBeUndefined();
    expect(inside!.budgetMs()).toBe(Infinity);
    expect(root.children.size).toBe(1);
    finish();
    await turn();

    expect(root.children.size).toBe(0);
    expect(outcomes).toContainEqual(
      expect.objectContaining({ kind: 'task', name: 'audit', result: 'completed' }),
    );
  });

  it('S11 is cancelled by shutdown', async () => {
    const request = openScope(root, 'request', 'GET /');
    enterScope(request, () => detach('audit', cooperative));
    request.cancel('disconnect');
    request.close();

    expect(root.children.size).toBe(1);
    root.cancel('shutdown');
    await turn();

    expect(root.children.size).toBe(0);
    expect(resultsByName()).toMatchObject({ audit: 'shutdown' });
  });

  it('S11 runs from a cancelled scope, but not after shutdown', async () => {
    const [fromCancelled, afterShutdown] = [jest.fn(), jest.fn()];
    const request = openScope(root, 'request', 'GET /');
    request.cancel('disconnect');

    enterScope(request, () => detach('audit', fromCancelled));
    root.cancel('shutdown');
    enterScope(request, () => detach('audit', afterShutdown));
    await turn();

    expect(fromCancelled).toHaveBeenCalledTimes(1);
    expect(afterShutdown).not.toHaveBeenCalled();
    request.close();
  });

  it.each([
    [
      'sync',
      () => {
        throw new Error('boom');
      },
    ],
    ['async', boom],
  ])('S11 a failure (%s) is a warning and an outcome, and is not thrown', async (_, fn) => {
    const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});

    expect(() => detach('audit', fn)).not.toThrow();
    await turn();

    expect(warned).toHaveBeenCalledWith(
      expect.stringContaining('"audit" failed'),
      expect.anything(),
    );
    expect(outcomes).toMatchObject([{ result: 'failed', error: new Error('boom') }]);
    warned.mockRestore();
  });
});
