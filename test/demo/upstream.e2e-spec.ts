import { describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { call, expectOnTime } from '../support/http-client.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';
import { ADAPTERS, useDemo } from './fixtures/demo.js';

const SHARD_LIMIT = 800;
const CHAT = '/v1/chat/completions';
const JSON_TYPE = 'content-type: application/json';
const messages = [{ role: 'user', content: 'hi' }];

const demo = useDemo();

const json = (body: unknown) => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
});

/** The next call that reaches the upstream, as the upstream answers it. */
async function nextCall(): Promise<ServerResponse> {
  const [, response] = (await once(demo.upstream, 'request')) as [unknown, ServerResponse];
  return response;
}

/** How long after `leave` the upstream saw its caller go. */
async function closedAfter(response: ServerResponse, leave: () => void): Promise<number> {
  const closed = once(response, 'close');
  const leftAt = performance.now();
  leave();
  await closed;
  return performance.now() - leftAt;
}

describe.each(ADAPTERS)('search on %s', (adapter) => {
  const search = async (delayMs: string) => {
    const answer = await call(`${demo.on(adapter).url}/v1/search?q=nest&delayMs=${delayMs}`);
    return { answer, found: JSON.parse(answer.body) as unknown };
  };

  it('answers what all shards found', async () => {
    const { answer, found } = await search('0,20,0');

    expect(answer.status).toBe(200);
    expect(found).toMatchObject({ partial: false, missing: [] });
    const ids = (found as { results: { id: string }[] }).results.map(({ id }) => id);
    const all = ['shard-a', 'shard-b', 'shard-c'].flatMap((shard) => [`${shard}-1`, `${shard}-2`]);
    expect(ids).toEqual(all);
  });

  it('answers on time without the shard that is late, and hangs up on it', async () => {
    const before = await demo.left('/shards');

    const { answer, found } = await search('0,60000,0');

    expect(answer.status).toBe(200);
    expectOnTime(answer, SHARD_LIMIT);
    expect(found).toMatchObject({ partial: true, missing: ['shard-b'] });
    expect((found as { results: unknown[] }).results).toHaveLength(4);
    await demo.untilLeft('/shards', before + 1);
  });

  it('Q12 keeps recent searches in SQLite, which statement timeouts leave alone', async () => {
    const { url } = demo.on(adapter);
    const queries = ['one', 'two', 'three'];
    await Promise.all(queries.map((query) => call(`${url}/v1/search?q=${query}`)));

    const answer = await call(`${url}/v1/search/recent`);

    const { items } = JSON.parse(answer.body) as { items: { query: string }[] };
    const found = items.slice(0, 3).map(({ query }) => query);
    expect(found.toSorted()).toEqual(queries.toSorted());
    expect(items[0]).toEqual({ id: expect.any(Number), query: found[0], at: expect.any(String) });
    expect(demo.errors).toEqual([]);
  });

  it('answers that every shard is missing when all are late', async () => {
    const { answer, found } = await search('60000,60000,60000');

    expect(answer.status).toBe(200);
    expectOnTime(answer, SHARD_LIMIT);
    const missing = ['shard-a', 'shard-b', 'shard-c'];
    expect(found).toEqual({ results: [], partial: true, missing });
  });
});

describe.each(ADAPTERS)('chat on %s', (adapter) => {
  const complete = (body: object) => call(`${demo.on(adapter).url}${CHAT}`, json(body));

  it('streams tokens as events, then [DONE]', async () => {
    const answer = await complete({ messages, stream: true, tokens: 5, intervalMs: 5 });

    expect(answer).toMatchObject({ status: 200, whole: true });
    expect(answer.headers['content-type']).toMatch(/^text\/event-stream/);
    const events = answer.body.split('\n\n');
    expect(events.splice(-2)).toEqual(['data: [DONE]', '']);
    const tokens = events.map((event) => JSON.parse(event.replace(/^data: /, '')) as unknown);
    expect(tokens).toEqual(
      ['every ', 'answer ', 'has ', 'one ', 'deadline '].map((token) => ({ token })),
    );
  });

  it('passes a token on before the model has the next one', async () => {
    const { port } = new URL(demo.on(adapter).url);
    const asked = nextCall();
    const client = await RawConnection.open(Number(port));
    const body = JSON.stringify({ messages, tokens: 2, intervalMs: 300 });
    client.send(rawRequest('POST', CHAT, [JSON_TYPE, `content-length: ${body.length}`], body));

    await client.receives('{"token":"every "}');

    expect((await asked).writableEnded).toBe(false);
    await client.receives('[DONE]');
    client.leave();
  });

  it('answers in one piece when it is not to stream', async () => {
    const answer = await complete({ messages, stream: false, tokens: 3, intervalMs: 1 });

    expect(answer.status).toBe(200);
    expect(JSON.parse(answer.body)).toEqual({
      message: { role: 'assistant', content: 'every answer has ' },
    });
  });

  it('refuses a bad request with all that is wrong with it', async () => {
    const answer = await complete({ messages: [{ role: 'user' }], stream: 1, tokens: 0 });

    expect(answer.status).toBe(400);
    for (const name of ['messages', 'stream', 'tokens']) {
      expect(answer.body).toContain(`${name} must be`);
    }
  });

  it('D08 a client that leaves closes the stream from the model within 50 ms', async () => {
    const { url, monitor } = demo.on(adapter);
    const before = await demo.left('/model');
    const body = JSON.stringify({ messages, tokens: 10_000, intervalMs: 10 });
    const delays: number[] = [];
    for (let i = 0; i < 5; i++) {
      const asked = nextCall();
      const client = await RawConnection.open(Number(new URL(url).port));
      client.send(rawRequest('POST', CHAT, [JSON_TYPE, `content-length: ${body.length}`], body));
      await client.receives('"token"');
      delays.push(await closedAfter(await asked, () => client.leave()));
    }

    expect(await demo.left('/model')).toBe(before + 5);
    // A busy machine may be late for some of them.
    expect(Math.min(...delays)).toBeLessThan(50);
    expect(Math.max(...delays)).toBeLessThan(1_000);
    expect(monitor.snapshot().counters).toContainEqual({
      layer: 'handler',
      reason: 'disconnect',
      route: `POST ${CHAT}`,
      count: 5,
    });
  });

  it('D08 a client that leaves ends a call to the upstream within 50 ms', async () => {
    const { port } = new URL(demo.on(adapter).url);
    const before = await demo.left('/sleep');
    const delays: number[] = [];
    for (let i = 0; i < 5; i++) {
      const asked = nextCall();
      const client = await RawConnection.open(Number(port));
      client.send(rawRequest('GET', '/lab/upstream?ms=60000', [], ''));
      delays.push(await closedAfter(await asked, () => client.leave()));
    }

    expect(await demo.left('/sleep')).toBe(before + 5);
    expect(Math.min(...delays)).toBeLessThan(50);
    expect(Math.max(...delays)).toBeLessThan(1_000);
  });
});
