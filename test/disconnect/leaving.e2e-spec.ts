import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { CanActivate } from '@nestjs/common';
import { Body, Controller, Get, Header, HttpCode, Post, Req, UseGuards } from '@nestjs/common';
import { Injectable, Res, Sse, StreamableFile } from '@nestjs/common';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import type { Scope } from 'nestjs-timeouts';
import { CancelSignal, currentScope, CurrentScope } from 'nestjs-timeouts';
import { Observable, of } from 'rxjs';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { Notes } from '../support/notes.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';

let notes = new Notes();
const scopes: Scope[] = [];

@Injectable()
class SlowGuard implements CanActivate {
  async canActivate(): Promise<boolean> {
    const { signal } = currentScope();
    notes.add('guard started');
    await once(signal, 'abort');
    return true;
  }
}

type Raw<T> = T & { raw?: T };

@Controller()
class LeavingController {
  @Get('wait')
  async wait(@CancelSignal() signal: AbortSignal) {
    signal.addEventListener('abort', () => notes.add(`aborted: ${signal.reason.reason}`));
    notes.add('started');
    await once(signal, 'abort');
    throw signal.reason;
  }

  @Get('observable')
  observable() {
    notes.add('started');
    return new Observable(() => () => notes.add('torn down'));
  }

  @Sse('events')
  events() {
    notes.add('started');
    return new Observable(() => () => notes.add('torn down'));
  }

  @Get('generator')
  async *generator() {
    const { signal } = currentScope();
    try {
      yield 'first';
      notes.add('started');
      await once(signal, 'abort');
    } finally {
      notes.add('torn down');
    }
  }

  @Get('res')
  async res(@Res() response: Raw<ServerResponse>, @CancelSignal() signal: AbortSignal) {
    (response.raw ?? response).flushHeaders();
    notes.add('started');
    await once(signal, 'abort');
    notes.add('torn down');
  }

  @UseGuards(SlowGuard)
  @Get('guarded')
  guarded() {
    notes.add('handler ran');
  }

  @HttpCode(200)
  @Post('upload')
  async upload(
    @Req() request: Raw<IncomingMessage>,
    @Body() body: unknown,
    @CurrentScope() scope: Scope,
  ) {
    const req = request.raw ?? request;
    scope.signal.addEventListener('abort', () => notes.add('aborted'));
    // The request's own `close` says no more than that its body was read.
    if (!req.closed) await once(req, 'close');
    for (let turns = 0; turns < 20; turns++) await turn();
    return { body, reason: scope.reason ?? 'none', aborted: scope.signal.aborted };
  }

  @Get('ending/json')
  json() {
    return this.#watched({ ok: true });
  }

  @Get('ending/text')
  text() {
    return this.#watched('ok');
  }

  @HttpCode(204)
  @Get('ending/nothing')
  nothing() {
    return this.#watched(undefined);
  }

  @Get('ending/observable')
  one() {
    return this.#watched(of('ok'));
  }

  @Header('content-type', 'text/plain')
  @Get('ending/file')
  file() {
    return this.#watched(new StreamableFile(Readable.from([Buffer.from('ok')])));
  }

  @Get('ending/res')
  own(@Res() response: Raw<ServerResponse>) {
    this.#watched(undefined);
    (response.raw ?? response).end('ok');
  }

  @Get('ending/large')
  large() {
    return this.#watched('x'.repeat(8_000_000));
  }

  #watched<T>(result: T): T {
    const scope = currentScope();
    scopes.push(scope);
    scope.signal.addEventListener('abort', () => notes.add('aborted'));
    return result;
  }
}

describe.each(STACKS)('a client that leaves, on $adapter with $enforcement', (stack) => {
  const start = () => startApp(stack, { controllers: [LeavingController] });

  beforeEach(() => {
    notes = new Notes();
    scopes.length = 0;
  });
  afterEach(closeApps);

  it('D01 aborts the signal once, within 50 ms, with reason disconnect', async () => {
    const { port, outcomes } = await start();
    const delays: number[] = [];
    for (let attempt = 0; attempt < 5; attempt++) {
      notes = new Notes();
      const client = await RawConnection.open(port);
      client.send(rawRequest('GET', '/wait'));
      await notes.seen('started');
      const left = performance.now();
      client.leave();
      delays.push((await notes.seen('aborted: disconnect')) - left);
      await eventually(() => outcomes.length > attempt);
      expect(notes.all).toEqual(['started', 'aborted: disconnect']);
    }
    // The best of five: other tests share the machine.
    expect(Math.min(...delays)).toBeLessThan(50);
    expect(outcomes.map(({ result }) => result)).toEqual(Array(5).fill('disconnect'));
  });

  it.each(['observable', 'events', 'generator', 'res'])(
    'D01 ends a handler that answers by %s',
    async (kind) => {
      const { port, outcomes } = await start();
      const client = await RawConnection.open(port);
      client.send(rawRequest('GET', `/${kind}`));
      await notes.seen('started');
      client.leave();
      await notes.seen('torn down');
      const outcome = await eventually(() => outcomes[0]);
      expect(outcome).toMatchObject({ name: `GET /${kind}`, result: 'disconnect', status: 499 });
      expect(notes.all).toEqual(['started', 'torn down']);
    },
  );

  it('D01 never starts the handler when the client left during a guard', async () => {
    const { port, outcomes, monitor } = await start();
    const client = await RawConnection.open(port);
    client.send(rawRequest('GET', '/guarded'));
    await notes.seen('guard started');
    client.leave();
    await eventually(() => outcomes.length === 1);
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(notes.all).toEqual(['guard started']);
    expect(monitor.snapshot().inFlight).toEqual([]);
  });

  it.each([
    ['application/json', '{"a":"1"}'],
    ['application/x-www-form-urlencoded', 'a=1'],
  ])('D02 does not abort a request whose client waits after sending %s', async (type, body) => {
    const { url, outcomes } = await start();
    const answer = await fetch(`${url}/upload`, {
      method: 'POST',
      headers: { 'content-type': type },
      body,
    });
    expect(await answer.json()).toEqual({ body: { a: '1' }, reason: 'none', aborted: false });
    await eventually(() => outcomes.length === 1);
    expect(outcomes[0]).toMatchObject({ result: 'completed', status: 200 });
    expect(notes.all).toEqual([]);
  });

  it.each(['json', 'text', 'nothing', 'observable', 'file', 'res'])(
    'D04 never aborts after a normal answer: %s',
    async (kind) => {
      const { port, outcomes } = await start();
      const client = await RawConnection.open(port);
      client.send(rawRequest('GET', `/ending/${kind}`));
      const outcome = await eventually(() => outcomes[0]);
      client.leave();
      await client.closed;
      for (let turns = 0; turns < 20; turns++) await turn();
      expect(notes.all).toEqual([]);
      const [scope] = scopes;
      expect(scope!.reason).toBeUndefined();
      expect(scope!.signal.aborted).toBe(false);
      expect(outcome.result).toBe('completed');
      expect(outcomes).toHaveLength(1);
    },
  );

  it('D04 takes an answer that was handed over whole for complete, read or not', async () => {
    const { port, outcomes } = await start();
    const client = await RawConnection.open(port);
    client.socket.pause();
    client.send(rawRequest('GET', '/ending/large'));
    await eventually(() => scopes.length === 1);
    for (let turns = 0; turns < 20; turns++) await turn();
    client.leave();
    await eventually(() => outcomes.length === 1);
    expect(outcomes[0]).toMatchObject({ result: 'completed', status: 200 });
    expect(notes.all).toEqual([]);
  });
});
