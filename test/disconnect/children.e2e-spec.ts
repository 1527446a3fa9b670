import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Res } from '@nestjs/common';
import { once } from 'node:events';
import type { Server, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import type { Scope } from 'nestjs-timeouts';
import { all, bindScope, currentScope, detach, race, retry, shield } from 'nestjs-timeouts';
import { withDeadline } from 'nestjs-timeouts';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { Notes } from '../support/notes.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';

let notes = new Notes();
let upstreamUrl = '';

/** Work of a child scope: notes how it is cancelled. */
function child(id: string) {
  return async ({ signal }: Scope) => {
    notes.add(`${id} started`);
    await once(signal, 'abort');
    notes.add(`${id}: ${signal.reason.reason}`);
    throw signal.reason;
  };
}

@Controller()
class ChildrenController {
  @Get('scopes')
  scopes() {
    currentScope().defer(() => notes.add('cleanup'));
    return all([
      () => withDeadline('10s', child('block')),
      () => withDeadline('10s', () => withDeadline('9s', child('inner'))),
      () => race([child('racer'), child('rival')]),
      () => retry(child('attempt'), { attempts: 3 }),
      () => withDeadline('10s', child('fallback'), { fallback: () => notes.add('fell back') }),
    ]);
  }

  @Get('outlasting')
  async outlasting() {
    detach('audit', async ({ signal }) => {
      await notes.seen('shield done');
      notes.add(`detached: ${signal.aborted}`);
    });
    notes.add('detached started');
    try {
      await child('work')(currentScope());
    } finally {
      await shield('2s', async ({ signal }) => {
        await turn();
        notes.add(`shielded: ${signal.aborted}`);
      });
      notes.add('shield done');
    }
  }

  @Get('fetch/:path')
  async fetch() {
    const { signal } = currentScope();
    const answer = await fetch(`${upstreamUrl}/headers`, { signal });
    return answer.text();
  }

  @Get('fetch-body')
  async fetchBody() {
    const { signal } = currentScope();
    const answer = await fetch(`${upstreamUrl}/body`, { signal });
    return answer.text();
  }

  @Get('relay')
  async *relay() {
    const { signal } = currentScope();
    const answer = await fetch(`${upstreamUrl}/body`, { signal });
    try {
      for await (const chunk of answer.body!) yield Buffer.from(chunk);
    } finally {
      notes.add('relay over');
    }
  }

  @Get('bound')
  async bound(@Res() response: { raw?: ServerResponse } & ServerResponse) {
    async function* tokens() {
      try {
        yield 'first';
        notes.add('source started');
        await once(currentScope().signal, 'abort');
      } finally {
        notes.add('source over');
      }
    }
    const raw = response.raw ?? response;
    for await (const token of bindScope(tokens())) raw.write(token);
  }
}

describe.each(STACKS)('what a request had started, on $adapter with $enforcement', (stack) => {
  let upstream: Server;

  beforeAll(async () => {
    upstream = createServer((req, res) => {
      notes.add(`upstream ${req.url}`);
      res.on('close', () => notes.add(`upstream closed, ended: ${res.writableEnded}`));
      if (req.url === '/body') res.write('token');
    });
    await once(upstream.listen(0, '127.0.0.1'), 'listening');
    upstreamUrl = `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    upstream.closeAllConnections();
    upstream.close();
  });
  beforeEach(() => {
    notes = new Notes();
  });
  afterEach(closeApps);

  const start = async (path: string) => {
    const started = await startApp(stack, { controllers: [ChildrenController] });
    const client = await RawConnection.open(started.port);
    client.send(rawRequest('GET', path));
    return { ...started, client };
  };
  const isIdle = ({ monitor }: Awaited<ReturnType<typeof start>>) =>
    eventually(() => monitor.snapshot().inFlight.length === 0);

  it('D08 cancels every child scope, and runs the cleanups', async () => {
    const app = await start('/scopes');
    const ids = ['block', 'inner', 'racer', 'rival', 'attempt', 'fallback'];
    await Promise.all(ids.map((id) => notes.seen(`${id} started`)));
    app.client.leave();
    await Promise.all(ids.map((id) => notes.seen(`${id}: disconnect`)));
    await notes.seen('cleanup');
    await isIdle(app);
    expect(notes.all).toHaveLength(ids.length * 2 + 1);
    const blocks = app.outcomes.filter(({ kind }) => kind === 'block');
    expect(blocks.length).toBeGreaterThan(ids.length);
    expect(new Set(blocks.map(({ result }) => result))).toEqual(new Set(['disconnect']));
    expect(app.outcomes.find(({ kind }) => kind === 'request')).toMatchObject({ status: 499 });
  });

  it('D08 leaves what was detached or shielded alone', async () => {
    const app = await start('/outlasting');
    await notes.seen('work started');
    app.client.leave();
    await notes.seen('detached: false');
    expect(notes.all.slice(-4)).toEqual([
      'work: disconnect',
      'shielded: false',
      'shield done',
      'detached: false',
    ]);
    await isIdle(app);
  });

  it.each(['/fetch/headers', '/fetch-body', '/relay'])(
    'D08 ends the outbound call of %s, and its server sees the connection close',
    async (path) => {
      const app = await start(path);
      await notes.seen(path === '/fetch/headers' ? 'upstream /headers' : 'upstream /body');
      if (path === '/relay') await app.client.receives('token');
      const left = performance.now();
      app.client.leave();
      const closed = await notes.seen('upstream closed, ended: false');
      expect(closed - left).toBeLessThan(1_000);
      if (path === '/relay') await notes.seen('relay over');
      await isIdle(app);
      expect(app.outcomes[0]).toMatchObject({ result: 'disconnect', status: 499 });
    },
  );

  it('D08 ends a bound generator that is consumed elsewhere', async () => {
    const app = await start('/bound');
    await notes.seen('source started');
    app.client.leave();
    await notes.seen('source over');
    await isIdle(app);
    expect(app.outcomes[0]).toMatchObject({ result: 'disconnect', status: 499 });
  });
});
