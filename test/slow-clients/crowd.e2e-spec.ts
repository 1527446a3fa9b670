import { afterEach, describe, expect, it } from '@jest/globals';
import type { ChildProcess } from 'node:child_process';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientView } from 'nestjs-timeouts/testing';
import { drip, readSlowly } from 'nestjs-timeouts/testing';
import { call } from '../support/http-client.js';
import type { ServerState } from './fixtures/crowd-server.js';

const SERVER = new URL('./fixtures/crowd-server.ts', import.meta.url);
const CROWD = 2_000;
const WARM_UP = 200;
const PER_BATCH = 20;
const POLITE = 4;
/** A request that is held on to takes five times as much; Node keeps its parsers for later. */
const BYTES_PER_CONNECTION = 2_000;

/** The server's limits are 1.5 s each; how well it keeps them is for the tests of each limit to say. */
const giveUpAfter = '20s';
const every = '700ms';

/** A tenth reads slowly: what the system buffers for such a client is not little. */
const SLOW = {
  headers: (url: string) => drip(url, { part: 'headers', every, giveUpAfter }),
  body: (url: string) => {
    const headers = { 'content-type': 'application/json' };
    return drip(`${url}/sum`, { headers, body: ' '.repeat(100), every, giveUpAfter });
  },
  read: (url: string) => readSlowly(`${url}/large`, { bytes: 10, every, giveUpAfter }),
} as const;

type Kind = keyof typeof SLOW;

const kindOf = (index: number): Kind =>
  index % 10 === 0 ? 'read' : index % 2 === 0 ? 'body' : 'headers';

let server: ChildProcess | undefined;

afterEach(() => void server?.kill('SIGKILL'));

async function start(adapter: string): Promise<string> {
  const execArgv = [
    '--no-warnings',
    '--expose-gc',
    '--import',
    './test/support/run-typescript.mjs',
  ];
  server = fork(SERVER, [adapter], { execArgv });
  const [url] = (await once(server, 'message')) as [string];
  return url;
}

/** Of the server, once nobody is connected to it any more. */
async function stateAtRest(): Promise<ServerState> {
  for (;;) {
    server!.send('state');
    const [state] = (await once(server!, 'message')) as [ServerState];
    if (state.connections === 0 && state.inFlight === 0) return state;
    await sleep(50);
  }
}

/** So many slow clients, not all in the same instant: a full backlog would hold some up. */
async function crowd(url: string, size: number): Promise<{ kind: Kind; view: ClientView }[]> {
  const clients: Promise<{ kind: Kind; view: ClientView }>[] = [];
  for (let index = 0; index < size; index++) {
    const kind = kindOf(index);
    clients.push(SLOW[kind](url).then((view) => ({ kind, view })));
    if (index % PER_BATCH === 0) await sleep(10);
  }
  return Promise.all(clients);
}

/** Asks one thing after the other, until it is told to stop. */
async function politely(url: string, agent: Agent, isOver: () => boolean): Promise<unknown[]> {
  const answers: unknown[] = [];
  const body = JSON.stringify({ numbers: Array.from({ length: 100 }, () => 1) });
  const headers = { 'content-type': 'application/json' };
  do {
    const quick = await call(`${url}/quick`, { agent });
    const sum = await call(`${url}/sum`, { agent, method: 'POST', headers, body });
    answers.push(
      { status: quick.status, body: quick.body },
      { status: sum.status, body: sum.body },
    );
    await sleep(50);
  } while (!isOver());
  return answers;
}

describe.each(['express', 'fastify'])('a crowd of slow clients on %s', (adapter) => {
  it('B12 is gone at its limits, while everybody else is served', async () => {
    const url = await start(adapter);
    const agent = new Agent({ keepAlive: true });
    let isOver = false;
    await Promise.all([crowd(url, WARM_UP), politely(url, agent, () => true)]);
    agent.destroy();
    const before = await stateAtRest();

    const polite = Array.from({ length: POLITE }, () => politely(url, agent, () => isOver));
    const slow = await crowd(url, CROWD);
    isOver = true;
    const served = (await Promise.all(polite)).flat();
    agent.destroy();

    const ends: Record<string, number> = {};
    for (const { kind, view } of slow) {
      const { status, whole, ended } = view;
      const end = `${kind}: ${status ? `${status}, ` : ''}${whole ? 'whole' : 'cut'}, ${ended}`;
      ends[end] = (ends[end] ?? 0) + 1;
    }
    expect(ends).toEqual({
      'headers: 408, whole, closed': CROWD / 2,
      'body: 408, whole, closed': CROWD * 0.4,
      'read: cut, reset': CROWD / 10,
    });
    expect(served.length).toBeGreaterThan(POLITE * 10);
    const good = [
      { status: 200, body: '{"ok":true}' },
      { status: 200, body: '{"sum":100}' },
    ];
    for (const answer of served) expect(good).toContainEqual(answer);
    const after = await stateAtRest();
    expect(after.heapBytes - before.heapBytes).toBeLessThan(CROWD * BYTES_PER_CONNECTION);
  }, 60_000);
});
