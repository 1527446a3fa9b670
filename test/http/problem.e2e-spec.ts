import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { CanActivate, INestApplication } from '@nestjs/common';
import { Controller, Get, Injectable, Post, Res, UseGuards } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import type { FastifyInstance } from 'fastify';
import { setTimeout as delay } from 'node:timers/promises';
import { Deadline } from 'nestjs-timeouts';
import type { TestApp } from '../support/app.js';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { call, expectOnTime, expectProblem } from '../support/http-client.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';
import { untilCancelled } from '../support/work.js';

const LIMIT = 150;

const STALE = {
  'accept-ranges': 'bytes',
  'cache-control': 'public, max-age=3600',
  'content-disposition': 'attachment; filename="a.pdf"',
  'content-encoding': 'gzip',
  'content-language': 'de',
  'content-length': '3',
  'content-type': 'application/pdf',
  etag: '"v1"',
  expires: 'Thu, 01 Jan 2099 00:00:00 GMT',
  'last-modified': 'Thu, 01 Jan 1970 00:00:00 GMT',
  location: '/elsewhere',
  'set-cookie': 'session=stolen',
};

const KEPT = {
  vary: 'Accept-Language, Origin',
  'x-ratelimit-remaining': '7',
};

interface Reply {
  header(name: string, value: string): unknown;
}

@Injectable()
class HungGuard implements CanActivate {
  canActivate() {
    return untilCancelled();
  }
}

@Controller()
class ProblemController {
  @Get('orders/:id')
  hung() {
    return untilCancelled();
  }

  @Post('orders')
  create() {
    return untilCancelled();
  }

  @Get('headers')
  headers(@Res({ passthrough: true }) reply: Reply) {
    for (const [name, value] of Object.entries({ ...STALE, ...KEPT })) reply.header(name, value);
    return untilCancelled();
  }

  @UseGuards(HungGuard)
  @Get('guarded')
  guarded() {}

  @Deadline(400)
  @Get('longer')
  async longer() {
    await delay(LIMIT);
    return 'in time';
  }

  @Deadline(400)
  @Get('longer/hung')
  longerHung() {
    return untilCancelled();
  }

  @Deadline(120)
  @Get('shorter')
  shorter() {
    return untilCancelled();
  }

  @Get('quick')
  async quick() {
    await delay(50);
    return 'quick';
  }
}

/** Puts headers on every answer, the ways users do, and takes its time before some. */
function prepare(app: INestApplication): void {
  app.enableCors({ origin: 'https://shop.example', credentials: true });
  app.use((req: Request, res: Response, next: NextFunction) => {
    res.setHeader('x-request-id', req.headers['x-request-id'] ?? 'made-up');
    if (req.url.startsWith('/longer')) setTimeout(next, 100);
    else next();
  });
  const adapter = app.getHttpAdapter();
  if (adapter.getType() !== 'fastify') return;
  const fastify = adapter.getInstance() as FastifyInstance;
  fastify.addHook('onRequest', async (_, reply) => void reply.header('x-hook', 'kept'));
}

describe.each(STACKS)('problems on $adapter, $enforcement', (stack) => {
  let test: TestApp;

  beforeAll(async () => {
    test = await startApp(stack, {
      controllers: [ProblemController],
      options: { handler: LIMIT },
      prepare,
    });
  });

  afterAll(closeApps);

  it('H01 answers 504 with a problem that says what happened', async () => {
    const headers = { 'x-request-id': 'req-7' };

    const answer = await call(`${test.url}/orders/42?token=secret`, { headers });

    const problem = expectProblem(answer, LIMIT);
    expect(problem).toEqual({
      type: 'about:blank',
      title: 'Gateway Timeout',
      status: 504,
      detail: 'Handler did not complete within 150ms',
      instance: '/orders/42',
      code: 'handler_timeout',
      layer: 'handler',
      timeoutMs: LIMIT,
      elapsedMs: expect.any(Number),
      requestId: 'req-7',
    });
    expect(problem['elapsedMs']).toBeGreaterThanOrEqual(LIMIT);
    expect(answer.headers).toMatchObject({
      'cache-control': 'no-store',
      'content-length': String(Buffer.byteLength(answer.body)),
    });
  });

  it('H01 gives a request that came without an id one, in the problem and its header', async () => {
    const answer = await call(`${test.url}/orders/42`);

    const { requestId } = expectProblem(answer, LIMIT);
    expect(requestId).toMatch(/./);
    expect(answer.headers['x-request-id']).toBe(requestId);
  });

  it('H01 answers a request with a body the same way, and the connection stays', async () => {
    const connection = await RawConnection.open(test.port);
    const headers = ['Content-Type: application/json', 'Content-Length: 2'];

    connection.send(rawRequest('POST', '/orders', headers, '{}'));
    await connection.receives('handler_timeout');
    connection.send(rawRequest('GET', '/quick', ['Connection: close']));
    await connection.closed;

    expect(connection.received).toMatch(/^HTTP\/1\.1 504 [\s\S]*}HTTP\/1\.1 200 [\s\S]*quick$/);
  });

  it('H03 sends the head alone for HEAD', async () => {
    const connection = await RawConnection.open(test.port);

    connection.send(rawRequest('HEAD', '/orders/42', ['Connection: close']));
    await connection.closed;

    const [head, rest] = connection.received.split('\r\n\r\n');
    expect(head).toMatch(/^HTTP\/1\.1 504 /);
    expect(head?.toLowerCase()).toContain('content-type: application/problem+json');
    expect(rest).toBe('');
  });

  it('H04 clears what described the answer that is not coming, and keeps the rest', async () => {
    const headers = { origin: 'https://shop.example', 'x-request-id': 'req-8' };

    const [afterHandler, atGuard] = await Promise.all([
      call(`${test.url}/headers`, { headers }),
      call(`${test.url}/guarded`, { headers }),
    ]);

    const { 'cache-control': _, 'content-type': __, 'content-length': ___, ...cleared } = STALE;
    for (const answer of [afterHandler, atGuard]) {
      expectProblem(answer, LIMIT);
      expect(Object.keys(answer.headers).filter((name) => name in cleared)).toEqual([]);
      expect(answer.headers).toMatchObject({
        'access-control-allow-origin': 'https://shop.example',
        'access-control-allow-credentials': 'true',
        'cache-control': 'no-store',
        'x-request-id': 'req-8',
        ...(stack.adapter === 'fastify' && { 'x-hook': 'kept' }),
      });
    }
    expect(afterHandler.headers).toMatchObject(KEPT);
  });

  it('H05 fires at the deadline, not before', async () => {
    const hung = Array.from({ length: 10 }, () => call(`${test.url}/orders/1`));
    const shorter = Array.from({ length: 10 }, () => call(`${test.url}/shorter`));
    const quick = Array.from({ length: 10 }, () => call(`${test.url}/quick`));

    for (const answer of await Promise.all(hung)) expectProblem(answer, LIMIT);
    for (const answer of await Promise.all(shorter)) expectProblem(answer, 120);
    for (const answer of await Promise.all(quick)) {
      expect(answer).toMatchObject({ status: 200, body: 'quick' });
    }
  });

  it('H12 honours a longer deadline of the route, from the start of the request', async () => {
    const [longer, hung] = await Promise.all([
      call(`${test.url}/longer`),
      call(`${test.url}/longer/hung`),
    ]);

    expect(longer).toMatchObject({ status: 200, body: 'in time' });
    expectOnTime(longer, LIMIT + 100);
    expect(expectProblem(hung, 400)).toMatchObject({ timeoutMs: 400 });
  });
});
