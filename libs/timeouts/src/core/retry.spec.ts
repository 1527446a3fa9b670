import { afterEach, beforeEach, describe, expect, it, jest } from '@jest/globals';
import { ManualClock } from '../testing/manual-clock.js';
import { withDeadline } from './combinators.js';
import {
  closeApplicationScope,
  enterScope,
  openApplicationScope,
  openScope,
} from './current-scope.js';
import { retry } from './retry.js';
import type { Scope } from './scope.js';
import type { ScopeNode } from './scope-node.js';

let clock: ManualClock;
let root: ScopeNode;
let random: ReturnType<typeof jest.spyOn>;

beforeEach(() => {
  clock = new ManualClock();
  root = openApplicationScope({ clock });
  random = jest.spyOn(Math, 'random').mockReturnValue(0.5);
});

afterEach(() => {
  random.mockRestore();
  closeApplicationScope(root);
  if (root.children.size > 0) throw new Error('a scope was left open');
});

const turn = () => new Promise((resolve) => setImmediate(resolve));
const failure = (properties: object) => Object.assign(new Error('failed'), properties);
const unavailable = (headers = {}) => failure({ status: 503, headers });

/** A function that records when it is tried and with what budget, and fails as told, then succeeds. */
function flaky(...failures: unknown[]) {
  const tries: [at: number, budgetMs: number][] = [];
  const fn = async (scope: Scope) => {
    tries.push([clock.now(), scope.budgetMs()]);
    if (failures.length > 0) throw failures.shift();
    return 'answer';
  };
  return { fn, tries };
}

/** Lets time pass, `ms` in all, in steps small enough for every wait to end on its own. */
async function pass(ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 10) {
    await turn();
    clock.advance(10);
  }
  await turn();
}

describe('retry', () => {
  it('S08 tries again while the failure is transient', async () => {
    const { fn, tries } = flaky(unavailable(), failure({ code: 'ECONNRESET' }));

    const answer = retry(fn);
    await pass(200);

    await expect(answer).resolves.toBe('answer');
    expect(tries.map(([at]) => at)).toEqual([0, 50, 150]);
  });

  it('S08 full jitter: waits are drawn from 0 to a bound that doubles up to its maximum', async () => {
    random.mockReturnValue(1);
    const failures = Array.from({ length: 5 }, () => unavailable());
    const { fn, tries } = flaky(...failures);

    const answer = retry(fn, { attempts: 6, backoff: 100, maxBackoff: 500 });
    await pass(2_000);
    random.mockReturnValue(0);
    const atOnce = retry(flaky(unavailable(), unavailable()).fn);
    await turn();
    clock.advance(1);
    await turn();
    clock.advance(1);

    await expect(answer).resolves.toBe('answer');
    await expect(atOnce).resolves.toBe('answer');
    expect(tries.map(([at]) => at)).toEqual([0, 100, 300, 700, 1_200, 1_700]);
  });

  it('S08 rethrows the last real error', async () => {
    const last = unavailable();
    const { fn, tries } = flaky(unavailable(), unavailable(), last);

    const answer = retry(fn).catch((error) => error);
    await pass(500);

    expect(await answer).toBe(last);
    expect(tries).toHaveLength(3);
  });

  it.each([
    ['a programming error', new TypeError('x is not a function')],
    ['a client error', failure({ status: 404 })],
    ['an abort of somebody else', new DOMException('aborted', 'AbortError')],
    ['something that is no error', 'text'],
    ['nothing at all', undefined],
  ])('S08 only what is retryable: not %s', async (_, error) => {
    const { fn, tries } = flaky(error);

    await expect(retry(fn)).rejects.toBe(error);
    expect(tries).toHaveLength(1);
  });

  it('S08 retryIf decides instead', async () => {
    const { fn, tries } = flaky(new Error('odd'), unavailable());

    const answer = retry(fn, { retryIf: (error) => (error as Error).message === 'odd' }).catch(
      (error) => error,
    );
    await pass(200);

    expect(await answer).toMatchObject({ status: 503 });
    expect(tries).toHaveLength(2);
  });

  it('S08 an attempt that cannot fit is not started', async () => {
    const { fn, tries } = flaky(unavailable(), unavailable());
    random.mockReturnValue(1);

    const answer = withDeadline(109, () => retry(fn)).catch((error) => error);
    await turn();

    expect(await answer).toMatchObject({ status: 503 });
    expect(clock.now()).toBe(0);
    expect(tries).toHaveLength(1);
  });

  it('S08 the last one is clipped to what is left', async () => {
    const { fn, tries } = flaky(unavailable());

    const answer = withDeadline(120, () => retry(fn, { timeout: 100 }));
    await pass(100);

    await expect(answer).resolves.toBe('answer');
    expect(tries).toEqual([
      [0, 100],
      [50, 70],
    ]);
  });

  it('S08 a try that ran into its own timeout is tried again', async () => {
    let tries = 0;
    const answer = retry(
      (scope) =>
        ++tries === 1
          ? new Promise((_, reject) => (scope as ScopeNode).onCancel(() => reject(scope.error)))
          : 'answer',
      { timeout: 100 },
    );
    await pass(200);

    await expect(answer).resolves.toBe('answer');
  });

  it.each([
    [{ 'retry-after': '2' }, 2_000],
    [new Headers({ 'retry-after': '2' }), 2_000],
    [{ get: (name: string) => (name === 'retry-after' ? '2' : null) }, 2_000],
    [{ 'retry-after': 2 }, 2_000],
    [{ 'retry-after': 'soon' }, 50],
    [new Headers(), 50],
  ])('S08 waits as long as Retry-After asks for: %p', async (headers, expected) => {
    const { fn, tries } = flaky(unavailable(headers));

    const answer = withDeadline('3s', () => retry(fn));
    await pass(2_100);

    await expect(answer).resolves.toBe('answer');
    expect(tries.map(([at]) => at)).toEqual([0, expected]);
  });

  it('S08 Retry-After may be a date', async () => {
    const now = jest.spyOn(Date, 'now').mockReturnValue(Date.parse('2030-01-01T00:00:00Z'));
    const { fn, tries } = flaky(unavailable({ 'retry-after': 'Tue, 01 Jan 2030 00:00:01 GMT' }));

    const answer = retry(fn);
    await pass(1_100);

    await expect(answer).resolves.toBe('answer');
    expect(tries.map(([at]) => at)).toEqual([0, 1_000]);
    now.mockRestore();
  });

  it('S08 Retry-After beyond the budget gives up at once', async () => {
    const error = unavailable({ 'retry-after': '30' });
    const { fn, tries } = flaky(error);

    await expect(withDeadline('3s', () => retry(fn))).rejects.toBe(error);
    expect(clock.now()).toBe(0);
    expect(tries).toHaveLength(1);
  });

  it('S08 a cancel ends the wait between two tries', async () => {
    const { fn, tries } = flaky(unavailable({ 'retry-after': '30' }));
    const scope = openScope(root, 'block', 'job');

    const answer = enterScope(scope, () => retry(fn)).catch((error) => error);
    await turn();
    scope.cancel('disconnect');

    expect(await answer).toBe(scope.error);
    expect(tries).toHaveLength(1);
    scope.close();
  });

  it('S08 a cancel during a try ends it all', async () => {
    const scope = openScope(root, 'block', 'job');
    const fn = jest.fn((inner: Scope) => {
      scope.cancel('disconnect');
      throw failure({ status: inner.reason && 503 });
    });

    await expect(enterScope(scope, () => retry(fn))).rejects.toBe(scope.error);
    expect(fn).toHaveBeenCalledTimes(1);
    scope.close();
  });

  it.each([0, -1, 1.5, NaN, Infinity])('refuses attempts: %p', async (attempts) => {
    await expect(retry(() => 1, { attempts })).rejects.toThrow('retry attempts');
  });

  it.each(['timeout', 'backoff', 'maxBackoff', 'minBudget'])('refuses %s: 0', async (option) => {
    await expect(retry(() => 1, { [option]: 0 })).rejects.toThrow('is 0');
  });
});

describe('what is transient', () => {
  const codes = [
    'ECONNREFUSED',
    'ECONNRESET',
    'EAI_AGAIN',
    'EPIPE',
    'ETIMEDOUT',
    'UND_ERR_SOCKET',
    'UND_ERR_HEADERS_TIMEOUT',
  ];

  it.each([
    ...[408, 425, 429, 502, 503, 504].map((status) => ({ status })),
    { statusCode: 503 },
    { response: { status: 502 } },
    ...codes.map((code) => ({ code })),
    { cause: { cause: { code: 'ECONNRESET' } } },
  ])('S08 %p is', async (properties) => {
    const { fn, tries } = flaky(failure(properties));

    const answer = retry(fn);
    await pass(60);

    await expect(answer).resolves.toBe('answer');
    expect(tries).toHaveLength(2);
  });

  it.each([{ status: 400 }, { status: 500 }, { status: 501 }, { code: 'ENOENT' }, { code: 7 }])(
    'S08 %p is not',
    async (properties) => {
      await expect(retry(flaky(failure(properties)).fn)).rejects.toMatchObject(properties);
    },
  );

  it('S08 a cause that goes round in circles is not', async () => {
    const error = failure({});
    error.cause = error;

    await expect(retry(flaky(error).fn)).rejects.toBe(error);
  });
});
