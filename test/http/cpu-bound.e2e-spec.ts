import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { INestApplication, PipeTransform } from '@nestjs/common';
import { Controller, Get, Injectable, Post, Query, Res } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { setImmediate as turn } from 'node:timers/promises';
import { Deadline } from 'nestjs-timeouts';
import { of } from 'rxjs';
import type { TestApp } from '../support/app.js';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { call } from '../support/http-client.js';
import { block } from '../support/work.js';

const LIMIT = 40;
const BLOCKED = 120;

interface Reply {
  send(body: unknown): unknown;
}

let started = false;

@Injectable()
class BlockingPipe implements PipeTransform {
  transform(value: unknown) {
    block(BLOCKED);
    return value;
  }
}

@Controller()
@Deadline(LIMIT)
class BlockingController {
  @Get('sync')
  sync() {
    block(BLOCKED);
    return 'too late';
  }

  @Get('middleware')
  middleware() {
    started = true;
    return 'too late';
  }

  @Post('sync')
  syncPost() {
    block(BLOCKED);
    return 'too late';
  }

  @Get('throwing')
  throwing() {
    block(BLOCKED);
    throw new Error('too late');
  }

  @Get('async')
  async async() {
    await turn();
    block(BLOCKED);
    return 'too late';
  }

  @Get('rejecting')
  async rejecting() {
    await turn();
    block(BLOCKED);
    throw new Error('too late');
  }

  @Get('observable')
  observable() {
    block(BLOCKED);
    return of('too late');
  }

  @Get('pipe')
  pipe(@Query('q', BlockingPipe) _q: string) {
    started = true;
    return 'too late';
  }

  @Get('response')
  response(@Res() reply: Reply) {
    block(BLOCKED);
    reply.send('too late');
  }

  @Get('response/async')
  async responseAsync(@Res() reply: Reply) {
    await turn();
    block(BLOCKED);
    reply.send('too late');
  }
}

function prepare(app: INestApplication): void {
  app.use((req: Request, _res: Response, next: NextFunction) => {
    if (req.url === '/middleware') block(BLOCKED);
    next();
  });
}

describe.each(STACKS)('a blocked event loop on $adapter, $enforcement', (stack) => {
  let test: TestApp;

  beforeAll(async () => {
    test = await startApp(stack, { controllers: [BlockingController], prepare });
  });

  beforeEach(() => {
    test.outcomes.length = 0;
    started = false;
  });

  afterAll(closeApps);

  it.each([
    'sync',
    'throwing',
    'async',
    'rejecting',
    'observable',
    'pipe',
    'middleware',
    'response',
    'response/async',
  ])('H15 a CPU-bound handler (%s) gets 504, not a late answer', async (path) => {
    const answer = await call(`${test.url}/${path}`);

    expect(answer.status).toBe(504);
    expect(JSON.parse(answer.body)).toMatchObject({ code: 'handler_timeout', timeoutMs: LIMIT });
    expect(started).toBe(false);
    expect(test.outcomes).toHaveLength(1);
    const [outcome] = test.outcomes;
    expect(outcome).toMatchObject({ result: 'deadline', status: 504 });
    expect(outcome!.loopDelayMs).toBeGreaterThan((BLOCKED - LIMIT) / 2);
  });

  it('H15 a body that was read is not what was slow', async () => {
    const headers = { 'content-type': 'application/json' };

    const answer = await call(`${test.url}/sync`, { method: 'POST', headers, body: '{"a":1}' });

    expect(answer.status).toBe(504);
    expect(JSON.parse(answer.body)).toMatchObject({ layer: 'handler' });
  });
});
