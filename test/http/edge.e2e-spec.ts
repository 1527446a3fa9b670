import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get, Res } from '@nestjs/common';
import { Agent } from 'node:http';
import type { Server } from 'node:http';
import { setImmediate as turn, setTimeout as delay } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Scope } from 'nestjs-timeouts';
import { currentScope, Deadline } from 'nestjs-timeouts';
import type { TestApp } from '../support/app.js';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { AnswerReader } from '../support/answer-reader.js';
import { eventually } from '../support/eventually.js';
import { call } from '../support/http-client.js';

const LIMIT = 30;
const TRIES = 2_500;
const CONNECTIONS = 50;
const FAST = 2_000;

interface Reply {
  send(body: unknown): unknown;
}

/** Done within two milliseconds of the deadline, on either side of it. */
function aroundTheEdge(): Promise<void> {
  return delay(currentScope().budgetMs() - 2 + Math.random() * 4);
}

let scopes: WeakRef<Scope>[] = [];

@Controller()
class EdgeController {
  @Deadline(LIMIT)
  @Get('edge/promise')
  async promise() {
    await aroundTheEdge();
    return { done: true };
  }

  @Deadline(LIMIT)
  @Get('edge/response')
  async response(@Res() reply: Reply) {
    await aroundTheEdge();
    reply.send({ done: true });
  }

  @Get('fast')
  async fast() {
    const scope = currentScope();
    scopes.push(new WeakRef(scope));
    scope.signal.addEventListener('abort', () => {});
    await turn();
    return { done: true };
  }
}

describe.each(STACKS)('the edge on $adapter, $enforcement', (stack) => {
  let test: TestApp;

  beforeAll(async () => {
    test = await startApp(stack, { controllers: [EdgeController] });
  });

  afterAll(closeApps);

  /** Asks over one connection again and again; gives the status of each answer. */
  async function ask(path: string, times: number): Promise<number[]> {
    const reader = await AnswerReader.open(test.port);
    const statuses: number[] = [];
    for (let i = 0; i < times; i++) {
      const { status, body } = await reader.ask(path);
      const whole = { 200: { done: true }, 504: { status: 504, code: 'handler_timeout' } };
      expect(body).toMatchObject(whole[status as 200 | 504]);
      statuses.push(status);
    }
    await reader.close();
    return statuses;
  }

  it('H09 a finish in the tick of the deadline gives exactly one response', async () => {
    test.outcomes.length = 0;
    const paths = ['/edge/promise', '/edge/response'];
    const asking = Array.from({ length: CONNECTIONS }, (_, i) => {
      return ask(paths[i % paths.length]!, TRIES / CONNECTIONS);
    });

    const statuses = (await Promise.all(asking)).flat();

    expect(statuses).toHaveLength(TRIES);
    expect(new Set(statuses)).toEqual(new Set([200, 504]));
    await eventually(() => test.outcomes.length >= TRIES, 'every outcome');
    const told = test.outcomes.map(({ status }) => status);
    expect(told.toSorted()).toEqual(statuses.toSorted());
    await eventually(() => test.monitor.snapshot().inFlight.length === 0, 'nothing in flight');
  });

  it('H06 a fast handler leaves no timer, listener or scope behind', async () => {
    setFlagsFromString('--expose-gc');
    const collectGarbage = runInNewContext('gc') as () => void;
    const server = test.app.getHttpServer() as Server;
    const listeners = () => server.eventNames().map((name) => server.listenerCount(name));
    const before = { listeners: listeners(), timers: timers() };
    const agent = new Agent({ keepAlive: true, maxSockets: 20 });
    const socketListeners: number[] = [];
    server.on('request', countOn);
    function countOn(req: { socket: NodeJS.EventEmitter }) {
      const { socket } = req;
      socketListeners.push(socket.listenerCount('close') + socket.listenerCount('error'));
    }
    scopes = [];

    for (let asked = 0; asked < FAST; asked += 200) {
      const calls = Array.from({ length: 200 }, () => call(`${test.url}/fast`, { agent }));
      for (const { status } of await Promise.all(calls)) expect(status).toBe(200);
    }

    server.off('request', countOn);
    agent.destroy();
    expect(test.monitor.snapshot().inFlight).toEqual([]);
    expect(listeners()).toEqual(before.listeners);
    expect(new Set(socketListeners).size).toBe(1);
    await eventually(() => timers() <= before.timers, 'the timers to be gone');
    expect(scopes).toHaveLength(FAST);
    await eventually(() => {
      collectGarbage();
      return scopes.filter((scope) => scope.deref()).length <= 20;
    }, 'the scopes to be collected');
  });
});

/** Timers that keep the process alive. */
function timers(): number {
  return process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
}
