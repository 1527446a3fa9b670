import { describe, expect, it } from '@jest/globals';
import { eventually } from '../support/eventually.js';
import { call, expectOnTime, expectProblem } from '../support/http-client.js';
import { watchProcess } from '../support/watch-process.js';
import { idle } from './fixtures/database.js';
import { ADAPTERS, useDemo } from './fixtures/demo.js';

const LIMIT = 500;
const LATE = 600;

const demo = useDemo({ REQUEST_TIMEOUT_SECONDS: '0.5' });

describe.each(ADAPTERS)('limits of 0.5 s on %s', (adapter) => {
  const incidents = watchProcess();
  const ask = (path: string) => call(`${demo.on(adapter).url}${path}`);
  const askAll = (paths: readonly string[]) => Promise.all(paths.map(ask));

  const expectLate = (answer: Awaited<ReturnType<typeof call>>, path: string) => {
    expect(expectProblem(answer, LIMIT)).toMatchObject({
      instance: path.split('?')[0],
      code: 'handler_timeout',
      layer: 'handler',
      timeoutMs: LIMIT,
    });
  };

  it('answers what is done in time with how long it took', async () => {
    const paths = ['sleep', 'deaf', 'guard', 'cpu', 'raw', 'skip', 'policy', 'tight', 'upstream'];

    for (const name of paths) {
      const { status, body } = await ask(`/lab/${name}?ms=30`);
      const done = JSON.parse(body) as { elapsedMs: number };
      expect({ name, status, done }).toEqual({
        name,
        status: 200,
        done: { ok: true, elapsedMs: expect.any(Number) },
      });
      expect(done.elapsedMs).toBeGreaterThanOrEqual(29);
    }
  });

  it('H01 answers 504 on time, whatever the handler waits for', async () => {
    const before = await demo.left('/sleep');
    const paths = [
      '/lab/sleep?ms=60000',
      '/lab/tight?ms=60000',
      '/lab/upstream?ms=60000',
      '/lab/query?seconds=60',
      '/lab/tx?seconds=60',
      '/lab/nested?seconds=60',
      '/v1/search?q=nest&delayMs=60000',
    ];

    const answers = await askAll(paths);

    for (const [index, path] of paths.entries()) expectLate(answers[index]!, path);
    await demo.untilLeft('/sleep', before + 1);
    await idle(demo.databaseUrl);
  });

  it('H07 answers 504 on time when the handler ignores its signal', async () => {
    const path = `/lab/deaf?ms=${LIMIT + 100}`;

    expectLate(await ask(path), path);
  });

  it('H08 counts work that goes on after its 504', async () => {
    const { monitor } = demo.on(adapter);
    await eventually(() => monitor.snapshot().inFlight.length === 0, 'the end of all work');
    const ops = async () => {
      const { body } = await ask('/_ops/timeouts');
      return (JSON.parse(body) as ReturnType<typeof monitor.snapshot>).late;
    };
    const before = await ops();

    await ask(`/lab/deaf?ms=${LIMIT + LATE}`);
    await eventually(() => monitor.snapshot().late.running === 1, 'running late');
    expect(await ops()).toEqual({ ...before, running: 1 });
    await eventually(() => monitor.snapshot().late.running === 0, 'the end of the late work');

    const after = await ops();
    expect(after).toMatchObject({ count: before.count + 1, running: 0 });
    expect(after.overrunMs - before.overrunMs).toBeGreaterThan(LATE / 2);
    expect(after.overrunMs - before.overrunMs).toBeLessThanOrEqual(LATE + 5);
  });

  it('H10 answers 504 on time for a hung guard and a handler that answers by hand', async () => {
    const paths = [`/lab/guard?ms=${LIMIT + 100}`, `/lab/raw?ms=${LIMIT + 100}`];

    const answers = await askAll(paths);

    for (const [index, path] of paths.entries()) expectLate(answers[index]!, path);
  });

  it('H12 holds a route to the policy it names', async () => {
    const skipped = [`/lab/skip?ms=${LIMIT + 100}`, `/lab/policy?ms=${LIMIT + 100}`];

    for (const answer of await askAll(skipped)) {
      expect(answer.status).toBe(200);
      expectOnTime(answer, LIMIT + 100 - 1);
    }
  });

  it('H15 answers 504 when the handler blocked the event loop past its deadline', async () => {
    const answer = await ask(`/lab/cpu?ms=${LIMIT + 100}`);

    expect(answer).toMatchObject({ status: 504, whole: true });
    expect(answer.elapsedMs).toBeGreaterThanOrEqual(LIMIT + 100);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'handler_timeout', timeoutMs: LIMIT });
  });

  it('shows a handler what it has left', async () => {
    const limited = await ask('/lab/budget');
    const hops = await ask('/lab/hop?depth=2');

    const budget = JSON.parse(limited.body) as { budgetMs: number };
    expect(budget).toEqual({
      budgetMs: expect.any(Number),
      deadlineInherited: false,
      reason: null,
    });
    expect(budget.budgetMs).toBeGreaterThan(0);
    expect(budget.budgetMs).toBeLessThanOrEqual(LIMIT);
    const hop = (depth: number) => ({ depth, budgetMs: expect.any(Number) });
    expect(JSON.parse(hops.body)).toEqual({ hops: [hop(2), hop(1), hop(0)] });
  });

  it('H08 late work crashes nothing and logs nothing at error level', async () => {
    const { monitor } = demo.on(adapter);

    await eventually(() => monitor.snapshot().inFlight.length === 0, 'the end of all work');

    expect(incidents).toEqual([]);
    expect(demo.errors).toEqual([]);
  });
});
