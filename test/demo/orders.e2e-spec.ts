import { beforeAll, describe, expect, it, jest } from '@jest/globals';
import { TimeoutsModule } from 'nestjs-timeouts';
import { eventually } from '../support/eventually.js';
import type { Call } from '../support/http-client.js';
import { call, expectProblem } from '../support/http-client.js';
import { idle } from './fixtures/database.js';
import { ADAPTERS, useDemo } from './fixtures/demo.js';

const REPORT_LIMIT = 2_000;

/* The demo gives its reports a minute, and nothing in the environment takes that from them. */
beforeAll(() => {
  const forRoot = TimeoutsModule.forRoot.bind(TimeoutsModule);
  jest
    .spyOn(TimeoutsModule, 'forRoot')
    .mockImplementation((options) =>
      forRoot({ ...options, policies: { report: { handler: REPORT_LIMIT } } }),
    );
});

const demo = useDemo({ REQUEST_TIMEOUT_SECONDS: '20' });

const json = (body: unknown): Call => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

const ORDER = {
  id: expect.any(Number),
  customer: expect.stringMatching(/^[a-z]+$/),
  amountCents: expect.any(Number),
  createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
};

const BAD_QUERIES = [
  ['/v1/orders?limit=0', 'limit must be a whole number from 1 to 1000'],
  ['/v1/orders?limit=ten', 'limit must be a whole number from 1 to 1000'],
  ['/v1/orders/1.5', 'id must be a whole number from 1 to 2147483647'],
  ['/v1/report?weight=-1', 'weight must be a whole number from 1 to 10000'],
  ['/v1/quick?seconds=1e3', 'seconds must be a number from 0 to 600'],
  ['/v1/search?q=a&delayMs=0,soon', 'delayMs must be up to three whole numbers'],
  ['/lab/sleep?ms=', 'ms must be a whole number from 0 to 600000'],
  ['/lab/guard?ms=x', 'ms must be a whole number from 0 to 600000'],
  ['/lab/upstream?via=pigeon', 'via must be fetch'],
  ['/lab/large?mb=0', 'mb must be a whole number from 1 to 10240'],
  ['/lab/hop?depth=99', 'depth must be a whole number from 0 to 20'],
] as const;

describe.each(ADAPTERS)('the answers service on %s', (adapter) => {
  const ask = async (path: string, options?: Call) => {
    const { status, body } = await call(`${demo.on(adapter).url}${path}`, options);
    return { status, body: JSON.parse(body) as unknown };
  };

  it('lists the newest orders first, twenty unless told', async () => {
    const few = await ask('/v1/orders?limit=3');
    const some = await ask('/v1/orders');

    expect(few).toEqual({ status: 200, body: { items: [ORDER, ORDER, ORDER] } });
    const { items } = some.body as { items: { id: number }[] };
    expect(items).toHaveLength(20);
    const ids = items.map(({ id }) => id);
    expect(ids).toEqual(ids.toSorted((a, b) => b - a));
    expect(ids[0]).toBeGreaterThanOrEqual(100_000);
  });

  it('stores an order that can be read again', async () => {
    const created = await ask('/v1/orders', json({ customer: ' ada ', amountCents: 1_200 }));

    expect(created).toEqual({
      status: 201,
      body: { ...ORDER, customer: 'ada', amountCents: 1200 },
    });
    const { id } = created.body as { id: number };
    expect(await ask(`/v1/orders/${id}`)).toEqual({ status: 200, body: created.body });
    const newest = await ask('/v1/orders?limit=1');
    expect(newest.body).toEqual({ items: [created.body] });
  });

  it('answers 404 for an order that is not there', async () => {
    expect(await ask('/v1/orders/2000000000')).toEqual({
      status: 404,
      body: { statusCode: 404, error: 'Not Found', message: 'There is no order 2000000000' },
    });
  });

  it('refuses a bad order with all that is wrong with it, and stores nothing', async () => {
    const before = await ask('/v1/orders?limit=1');

    const { status, body } = await ask('/v1/orders', json({ customer: ' ', amountCents: -1 }));

    expect(status).toBe(400);
    const { message } = body as { message: string };
    expect(message).toContain('customer must be a text of 1 to 100 characters');
    expect(message).toContain('amountCents must be a whole number from 0 to 2147483647');
    expect(await ask('/v1/orders', { ...json([]) })).toMatchObject({ status: 400 });
    expect(await ask('/v1/orders', { ...json({}), body: '{"cust' })).toMatchObject({ status: 400 });
    expect(await ask('/v1/orders?limit=1')).toEqual(before);
  });

  it.each(BAD_QUERIES)('answers 400 to GET %s', async (path, message) => {
    expect(await ask(path)).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining(message) },
    });
  });

  it('runs a statement as long as it was asked to', async () => {
    expect(await ask('/v1/quick?seconds=0.05')).toEqual({ status: 200, body: { ok: true } });
  });

  it('reports revenue per customer, the best first', async () => {
    const { status, body } = await ask('/v1/report');

    expect(status).toBe(200);
    const { items } = body as { items: { revenueCents: number }[] };
    const revenues = items.map(({ revenueCents }) => revenueCents);
    expect(revenues.length).toBeGreaterThanOrEqual(8);
    expect(revenues).toEqual(revenues.toSorted((a, b) => b - a));
    expect(items).toContainEqual({
      customer: 'grace',
      orders: 15_000,
      revenueCents: expect.any(Number),
      marginCents: expect.any(Number),
    });
  });

  it('Q10 a statement that reaches its own limit is a 504 of its layer', async () => {
    const { url } = demo.on(adapter);

    const problem = expectProblem(await call(`${url}/v1/quick?seconds=60`), 1_000);

    expect(problem).toMatchObject({
      detail: 'Statement did not complete within 1s',
      instance: '/v1/quick',
      code: 'statement_timeout',
      layer: 'statement',
      timeoutMs: 1_000,
    });
    await idle(demo.databaseUrl);
  });

  it('H01 a report that is too heavy is cut on time with the problem', async () => {
    const { url, monitor } = demo.on(adapter);

    const headers = { 'x-request-id': 'heavy' };
    const answer = await call(`${url}/v1/report?weight=10000`, { headers });

    const problem = expectProblem(answer, REPORT_LIMIT);
    expect(problem).toEqual({
      type: 'about:blank',
      title: 'Gateway Timeout',
      status: 504,
      detail: 'Handler did not complete within 2s',
      instance: '/v1/report',
      code: 'handler_timeout',
      layer: 'handler',
      timeoutMs: REPORT_LIMIT,
      elapsedMs: expect.any(Number),
      requestId: 'heavy',
    });
    await eventually(() => monitor.snapshot().inFlight.length === 0, 'the end of the report');
    await idle(demo.databaseUrl);
  });
});
