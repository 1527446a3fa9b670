import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from '@jest/globals';
import { ManualClock } from '../testing/manual-clock.js';
import { withDeadline } from './combinators.js';
import {
  closeApplicationScope,
  enterScope,
  openApplicationScope,
  openScope,
} from './current-scope.js';
import type { CancelReason } from './errors.js';
import type { Scope } from './scope.js';
import type { ScopeNode } from './scope-node.js';

const SEEDS = Array.from({ length: 25 }, (_, index) => index + 1);

/** Mulberry32: the same numbers from the same seed, everywhere. */
function numbersFrom(seed: number) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  const oneOf = <T>(values: readonly T[]): T => values[below(values.length)]!;
  return { next, below, oneOf };
}

describe('random sequences', () => {
  it.each(SEEDS)(
    'S05 budgetMs() equals the time to the real firing after any sequence of extend, setDeadline, clearDeadline (seed %i)',
    (seed) => {
      const { next, below, oneOf } = numbersFrom(seed);
      const clock = new ManualClock();
      const root = openApplicationScope({ clock });
      const chain = [openScope(root, 'request', 'top', 1 + below(2_000))];
      for (let depth = below(4); depth > 0; depth--) {
        chain.push(openScope(chain.at(-1)!, 'block', `level ${depth}`, 1 + below(2_000)));
      }
      const observed = chain.at(-1)!;

      for (let step = 0; step < 60; step++) {
        const moved = oneOf(chain);
        const before = { over: moved.reason !== undefined, budgetMs: moved.budgetMs() };
        const ms = 1 + below(1_500);
        const ok = oneOf([
          () => moved.extend(ms),
          () => moved.setDeadline(ms),
          () => moved.clearDeadline(),
        ])();
        expect(ok).toBe(!before.over);
        expect(chain.filter((scope) => scope.budgetMs() > scope.parent!.budgetMs())).toEqual([]);
        if (next() < 0.5) clock.advance(1 + below(300));
      }
      const budgetMs = observed.budgetMs();
      let firedAt: number | undefined;
      const now = clock.now();
      observed.onCancel(() => (firedAt ??= clock.now()));
      clock.advance('1d');
      expect(firedAt ?? Infinity).toBe(now + budgetMs);

      for (const scope of chain) scope.close();
      expect(root.children.size).toBe(0);
      closeApplicationScope(root);
    },
  );

  it.each(SEEDS)(
    'S03 in any tree the deadline is the earliest of the ancestors, the first reason wins, and every scope leaves when it is settled (seed %i)',
    (seed) => {
      const { below, oneOf } = numbersFrom(seed * 7_919);
      const clock = new ManualClock();
      const outcomes: string[] = [];
      const root = openApplicationScope({
        clock,
        listeners: [{ onOutcome: ({ name, result }) => outcomes.push(`${name} ${result}`) }],
      });
      const open: ScopeNode[] = [];
      const held: ScopeNode[] = [];
      const all = new Set<ScopeNode>();
      const reasons = new Map<ScopeNode, CancelReason>();
      const faults: string[] = [];

      const faultsOf = (scope: ScopeNode): string[] => {
        const { reason, name } = scope;
        const [first, running] = [reasons.get(scope), !scope.closed];
        if (reason) reasons.set(scope, first ?? reason);
        return [
          scope.deadline > scope.parent!.deadline && `${name} outlasts its parent`,
          running && scope.parent!.reason && !reason && `${name} outlives its parent`,
          first && first !== reason && `${name} was cancelled twice`,
          running && !reason && scope.deadline <= clock.now() && `${name} is overdue`,
        ].filter((fault) => typeof fault === 'string');
      };
      const steps = [
        () => {
          const parent = open.length > 0 && below(4) > 0 ? oneOf(open) : root;
          const limit = below(3) > 0 ? 1 + below(500) : undefined;
          const scope = openScope(parent, 'block', `scope ${all.size}`, limit);
          open.push(scope);
          all.add(scope);
        },
        () => open.length > 0 && oneOf(open).cancel(oneOf(['explicit', 'disconnect'])),
        () => open.length > 0 && open.splice(below(open.length), 1)[0]!.close(),
        () => open.length > 0 && oneOf(open).setDeadline(1 + below(300)),
        () => {
          if (open.length === 0) return;
          const scope = oneOf(open);
          scope.hold();
          held.push(scope);
        },
        () => held.length > 0 && held.splice(below(held.length), 1)[0]!.release(),
        () => clock.advance(1 + below(60)),
      ];

      for (let step = 0; step < 300; step++) {
        (step % 3 === 0 ? steps[0]! : oneOf(steps))();
        for (const scope of all) faults.push(...faultsOf(scope));
      }
      expect(faults).toEqual([]);

      for (const scope of open) scope.close();
      for (const scope of held) scope.release();

      expect(root.children.size).toBe(0);
      expect(outcomes).toHaveLength(all.size);
      expect(new Set(outcomes.map((outcome) => outcome.split(' ')[1])).size).toBe(all.size);
      clock.advance('1d');
      expect(outcomes).toHaveLength(all.size);
      closeApplicationScope(root);
    },
  );
});

describe('many scopes', () => {
  const collectGarbage = () => {
    setFlagsFromString('--expose_gc');
    (globalThis.gc ?? (runInNewContext('gc') as () => void))();
    return process.memoryUsage().heapUsed;
  };

  it('S14 100,000 child scopes under one root: heap flat', async () => {
    const root = openApplicationScope();
    const request = openScope(root, 'request', 'GET /', 600_000);
    const work = async (scope: Scope) => scope.signal.aborted;
    const run = async (count: number) => {
      for (let i = 0; i < count; i++) await enterScope(request, () => withDeadline('5m', work));
      // A turn, so that the microtask queue holds nothing any more.
      await new Promise(setImmediate);
    };
    await run(5_000);

    const before = collectGarbage();
    await run(100_000);
    const grownBytes = collectGarbage() - before;

    expect(grownBytes / 100_000).toBeLessThan(20);
    expect(request.children.size).toBe(0);
    request.close();
    expect(root.children.size).toBe(0);
    closeApplicationScope(root);
  });

  it('S14 100,000 child scopes open at once are cancelled at once and leave nothing', () => {
    const clock = new ManualClock();
    const root = openApplicationScope({ clock });
    const request = openScope(root, 'request', 'GET /', 1_000);
    const children = Array.from({ length: 100_000 }, () => openScope(request, 'block', 'child'));

    clock.advance('1s');
    const cancelled = children.filter(({ reason }) => reason === 'deadline').length;
    for (const child of children) child.close();
    request.close();

    expect(cancelled).toBe(100_000);
    expect(root.children.size).toBe(0);
    closeApplicationScope(root);
  });
});
