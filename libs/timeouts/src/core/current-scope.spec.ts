import { EventEmitter, once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ManualClock } from '../testing/manual-clock.js';
import { all, withDeadline } from './combinators.js';
import {
  closeApplicationScope,
  currentNode,
  enteredScope,
  enterScope,
  openApplicationScope,
  openScope,
  rootOf,
} from './current-scope.js';
import type { Scope } from './scope.js';
import type { ScopeNode } from './scope-node.js';

let clock: ManualClock;
let root: ScopeNode;
let request: ScopeNode;

beforeEach(() => {
  clock = new ManualClock();
  root = openApplicationScope({ clock });
  request = openScope(root, 'request', 'GET /', 1_000);
});

afterEach(() => {
  request.close();
  closeApplicationScope(root);
});

describe('the current scope', () => {
  it('S13 is there after setTimeout, setImmediate, nextTick, queueMicrotask and await', async () => {
    const seen = await enterScope(request, async () => {
      const later = (schedule: (done: () => void) => unknown) =>
        new Promise<ScopeNode>((resolve) => schedule(() => resolve(currentNode())));
      return [
        await later((done) => setTimeout(done, 1)),
        await later(setImmediate),
        await later(process.nextTick),
        await later(queueMicrotask),
        currentNode(),
      ];
    });

    expect(seen).toEqual(Array(5).fill(request));
  });

  it('S13 in an event listener is that of the code that emits', async () => {
    const emitter = new EventEmitter();
    const seen: ScopeNode[] = [];
    emitter.on('event', () => seen.push(currentNode()));

    enterScope(request, () => emitter.emit('event'));
    emitter.emit('event');
    await enterScope(request, async () => {
      setImmediate(() => emitter.emit('event'));
      await once(emitter, 'event');
    });

    expect(seen).toEqual([request, root, request]);
  });

  it('S13 is there in generators that are consumed inside it', async () => {
    function* numbers() {
      yield currentNode();
    }
    async function* pages() {
      await Promise.resolve();
      yield currentNode();
    }

    const seen = await enterScope(request, async () => {
      const scopes = [...numbers()];
      for await (const scope of pages()) scopes.push(scope);
      return scopes;
    });

    expect(seen).toEqual([request, request]);
  });

  it('S13 is the innermost of nested ones, and the outer one again after it', async () => {
    await enterScope(request, () =>
      withDeadline('1s', async (outer) => {
        expect(currentNode().parent).toBe(request);
        await withDeadline('1s', async (inner) => {
          await Promise.resolve();
          expect(currentNode()).toBe(inner);
          expect(currentNode().parent).toBe(outer);
        });
        expect(currentNode()).toBe(outer);
      }),
    );
  });

  it('S13 of 100 interleaved branches is the own one of each', async () => {
    const works = Array.from({ length: 100 }, () => async (scope: Scope) => {
      for (let i = 0; i < 10; i++) {
        await new Promise(setImmediate);
        if (currentNode() !== scope) return 'mixed up';
      }
      return 'own';
    });

    const results = await enterScope(request, () => all(works));

    expect(new Set(results)).toEqual(new Set(['own']));
  });

  it('outside any request is the application, the newest if there are several', () => {
    expect(enteredScope()).toBeUndefined();
    expect(currentNode()).toBe(root);
    const newer = openApplicationScope({ clock });
    expect(currentNode()).toBe(newer);
    closeApplicationScope(newer);

    expect(currentNode()).toBe(root);
  });

  it('without any application is the background, which nobody but shutdown cancels', () => {
    closeApplicationScope(root);

    const background = currentNode();

    expect(background).toMatchObject({ kind: 'application', name: 'background' });
    expect(background.cancel()).toBe(false);
    expect(background.setDeadline('1s')).toBe(false);
    expect(background.budgetMs()).toBe(Infinity);
  });

  it('of work that goes on after its request was answered is the application', () => {
    request.close();

    expect(enterScope(request, currentNode)).toBe(root);
  });

  it('of work that goes on after its request was cancelled is still the cancelled one', () => {
    request.cancel('disconnect');
    request.close();

    expect(enterScope(request, currentNode)).toBe(request);
  });

  it('of work left behind by a block is the request, as long as that runs', async () => {
    let left: Promise<ScopeNode> | undefined;
    await enterScope(request, () =>
      withDeadline('1s', () => {
        left = new Promise((resolve) => setImmediate(() => resolve(currentNode())));
      }),
    );

    expect(await left).toBe(request);
  });

  it('rootOf finds the application', () => {
    expect(rootOf(openScope(request, 'block', 'block'))).toBe(root);
    expect(rootOf(root)).toBe(root);
  });

  it('S14 wall-clock jumps change nothing', () => {
    const app = openApplicationScope();
    const scope = openScope(app, 'block', 'block', 60_000);
    const { now } = Date;
    Date.now = () => now() + 3_600_000;

    const left = scope.budgetMs();
    Date.now = now;

    expect(left).toBeGreaterThan(59_000);
    expect(left).toBeLessThanOrEqual(60_000);
    scope.close();
    closeApplicationScope(app);
  });
});
