import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { setTimeout as sleep } from 'node:timers/promises';
import { currentScope, Deadline, SkipTimeout, TimeoutsModule } from 'nestjs-timeouts';
import { ManualClock } from 'nestjs-timeouts/testing';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { CountingClock } from '../support/counting-clock.js';
import { useEnvironment } from '../support/environment.js';
import { call } from '../support/http-client.js';
import { Notes } from '../support/notes.js';
import { watchProcess } from '../support/watch-process.js';

const DAY_MS = 24 * 60 * 60 * 1_000;

let notes = new Notes();
let pending: () => number = () => 0;

@Controller()
class PlainController {
  @Get('budget')
  budget() {
    return { budgetMs: currentScope().budgetMs() };
  }

  @Get('slow')
  async slow() {
    notes.add('started');
    await notes.seen('40 s are over');
    return 'too late';
  }

  @Get('plain')
  async plain() {
    await sleep(20);
    return { pending: pending() };
  }

  @SkipTimeout()
  @Get('skipped')
  async skipped() {
    await sleep(20);
    return { pending: pending(), unlimited: currentScope().budgetMs() === Infinity };
  }

  @Deadline('40d')
  @Get('long')
  async long() {
    await sleep(40);
    return { budgetMs: currentScope().budgetMs() };
  }

  @Deadline('none')
  @Get('none')
  async none() {
    await sleep(20);
    return { unlimited: currentScope().budgetMs() === Infinity };
  }

  @Deadline(Infinity)
  @Get('infinity')
  infinity() {
    return this.none();
  }
}

const controllers = [PlainController];

describe.each(STACKS)('limits by default, on $adapter with $enforcement', (stack) => {
  const setEnvironment = useEnvironment();
  const incidents = watchProcess();
  const { enforcement } = stack;

  beforeEach(() => {
    notes = new Notes();
    incidents.length = 0;
  });
  afterEach(async () => {
    notes.add('40 s are over');
    await closeApps();
  });

  it.each([
    ['production', 30_000],
    ['development', 15_000],
  ])('P01 forRoot() without options limits an untouched app in %s', async (name, limitMs) => {
    setEnvironment({ NODE_ENV: name });
    const bare = TimeoutsModule.forRoot();
    const timeouts = enforcement === 'auto' ? bare : TimeoutsModule.forRoot({ enforcement });
    const { url } = await startApp(stack, { controllers, timeouts });
    const { budgetMs } = JSON.parse((await call(`${url}/budget`)).body);
    expect(budgetMs).toBeGreaterThan(limitMs - 2_000);
    expect(budgetMs).toBeLessThanOrEqual(limitMs);
  });

  it.each([
    ['production', 30_000, '30s'],
    ['development', 15_000, '15s'],
  ])('P01 a handler of 40 s is answered 504 at the limit of %s', async (name, limitMs, limit) => {
    setEnvironment({ NODE_ENV: name });
    const clock = new ManualClock();
    const timeouts = TimeoutsModule.forRoot({ clock, enforcement });
    const { url } = await startApp(stack, { controllers, timeouts });
    let answered = false;
    const answer = call(`${url}/slow`).finally(() => (answered = true));
    await notes.seen('started');
    clock.advance(limitMs - 1);
    await sleep(20);
    expect(answered).toBe(false);
    clock.advance(1);
    expect(JSON.parse((await answer).body)).toMatchObject({
      status: 504,
      detail: `Handler did not complete within ${limit}`,
      timeoutMs: limitMs,
    });
    clock.advance(40_000 - limitMs);
  });

  it('P02 a route without any limit costs no timer', async () => {
    const clock = new CountingClock();
    pending = () => clock.pending.size;
    const options = { clock, handler: 'none' } as const;
    const { url } = await startApp(stack, { controllers, options });
    expect(JSON.parse((await call(`${url}/plain`)).body)).toEqual({ pending: 0 });
    expect(clock.set).toBe(0);
  });

  it('P02 a route whose limit is lifted keeps no timer, one with a limit has one', async () => {
    const clock = new CountingClock();
    pending = () => clock.pending.size;
    const { url } = await startApp(stack, { controllers, options: { clock } });
    const skipped = JSON.parse((await call(`${url}/skipped`)).body);
    expect(skipped).toEqual({ pending: 0, unlimited: true });
    expect(JSON.parse((await call(`${url}/plain`)).body)).toEqual({ pending: 1 });
    expect(clock.pending.size).toBe(0);
  });

  it('P02 no header is added to an answer', async () => {
    class BareModule {}
    Module({ controllers })(BareModule);
    const adapter = stack.adapter === 'express' ? new ExpressAdapter() : new FastifyAdapter();
    const bare = await NestFactory.create(BareModule, adapter, { logger: false });
    await bare.listen(0, '127.0.0.1');
    const { url } = await startApp(stack, { controllers });
    const headersOf = async (base: string, path: string) =>
      Object.keys((await call(`${base}${path}`)).headers).toSorted();
    try {
      const bareUrl = await bare.getUrl();
      for (const path of ['/none', '/plain', '/long', '/nowhere']) {
        expect(await headersOf(url, path)).toEqual(await headersOf(bareUrl, path));
      }
    } finally {
      await bare.close();
    }
  });

  it('P07 limits above 2^31-1 ms do not fire at once', async () => {
    const { url } = await startApp(stack, { controllers, options: { handler: '30d' } });
    const [plain, long] = await Promise.all([call(`${url}/plain`), call(`${url}/long`)]);
    expect([plain.status, long.status]).toEqual([200, 200]);
    const { budgetMs } = JSON.parse(long.body);
    expect(budgetMs).toBeGreaterThan(40 * DAY_MS - 10_000);
    expect(budgetMs).toBeLessThan(40 * DAY_MS);
    expect(incidents).toEqual([]);
  });

  it('P07 limits above 2^31-1 ms hold', async () => {
    const clock = new ManualClock();
    const { url } = await startApp(stack, { controllers, options: { handler: '30d', clock } });
    let answered = false;
    const answer = call(`${url}/slow`).finally(() => (answered = true));
    await notes.seen('started');
    clock.advance(30 * DAY_MS - 1);
    await sleep(20);
    expect(answered).toBe(false);
    clock.advance(1);
    expect(JSON.parse((await answer).body)).toMatchObject({ timeoutMs: 30 * DAY_MS });
  });

  it.each(['none', 'infinity'])('P07 %s means no limit', async (path) => {
    const { url } = await startApp(stack, { controllers, options: { handler: '10ms' } });
    expect(JSON.parse((await call(`${url}/${path}`)).body)).toEqual({ unlimited: true });
  });
});
