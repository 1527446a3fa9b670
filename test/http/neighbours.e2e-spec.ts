import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplication } from '@nestjs/common';
import { Controller, Get, Head, NotFoundException, Options } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import { setTimeout as delay } from 'node:timers/promises';
import { currentScope } from 'nestjs-timeouts';
import type { TestApp } from '../support/app.js';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { call, expectProblem } from '../support/http-client.js';
import { RecordingLogger } from '../support/recording-logger.js';

const LIMIT = 150;

type Raw<T> = T & { raw?: T };

@Controller('users')
class UsersController {
  @Get(':id')
  one() {
    return { id: 1 };
  }

  @Get('missing/one')
  missing() {
    throw new NotFoundException('No such user');
  }

  @Head('head')
  head() {}

  @Options('options')
  options() {
    return 'options';
  }
}

/** Routes and middleware that Nest knows nothing of. */
function prepare(app: INestApplication): void {
  app.use((req: Request, res: Response, next: NextFunction) => {
    res.setHeader('x-scope', currentScope().name);
    if (req.url !== '/answered-by-middleware') return next();
    res.end('middleware');
  });
  const adapter = app.getHttpAdapter();
  adapter.get('/raw', (_req: unknown, res: Raw<Response>) => {
    adapter.reply(res, { scope: currentScope().name, limited: currentScope().budgetMs() <= LIMIT });
  });
  adapter.get('/raw/hung', () => delay(2 * LIMIT));
}

describe.each(STACKS)('what is not a handler on $adapter, $enforcement', (stack) => {
  const logger = new RecordingLogger();
  let test: TestApp;

  beforeAll(async () => {
    test = await startApp(stack, {
      controllers: [UsersController],
      options: { handler: LIMIT },
      nest: { logger },
      prepare,
    });
  });

  afterAll(closeApps);

  it('H16 404s are those of Nest, of the route and without one', async () => {
    const [unknown, missing, post] = await Promise.all([
      call(`${test.url}/nowhere`),
      call(`${test.url}/users/missing/one`),
      call(`${test.url}/users/1`, { method: 'POST' }),
    ]);

    expect([unknown.status, JSON.parse(unknown.body)]).toEqual([
      404,
      { statusCode: 404, message: 'Cannot GET /nowhere', error: 'Not Found' },
    ]);
    expect(JSON.parse(missing.body)).toMatchObject({ statusCode: 404, message: 'No such user' });
    expect(post.status).toBe(404);
    expect(
      test.outcomes.find(({ status, name }) => status === 404 && name === '(no route)'),
    ).toMatchObject({ result: 'completed' });
  });

  it('H16 middleware of the user works, with a scope', async () => {
    const answer = await call(`${test.url}/answered-by-middleware`);

    expect(answer).toMatchObject({ status: 200, body: 'middleware', whole: true });
    expect(answer.headers['x-scope']).toBe('(no route)');
  });

  it('H16 HEAD and OPTIONS are answered as without the module', async () => {
    const [get, head, own, options] = await Promise.all([
      call(`${test.url}/users/1`),
      call(`${test.url}/users/1`, { method: 'HEAD' }),
      call(`${test.url}/users/head`, { method: 'HEAD' }),
      call(`${test.url}/users/options`, { method: 'OPTIONS' }),
    ]);

    expect(get).toMatchObject({ status: 200, body: '{"id":1}' });
    expect(head).toMatchObject({ status: 200, body: '', whole: true });
    expect(head.headers['content-type']).toBe(get.headers['content-type']);
    expect(own).toMatchObject({ status: 200, body: '' });
    expect(options).toMatchObject({ status: 200, body: 'options' });
  });

  it('H16 routes of the adapter itself have a scope and a deadline', async () => {
    const [raw, hung] = await Promise.all([call(`${test.url}/raw`), call(`${test.url}/raw/hung`)]);

    expect(JSON.parse(raw.body)).toEqual({ scope: '(no route)', limited: true });
    expectProblem(hung, LIMIT);
    expect(logger.at('error', 'fatal')).toEqual([]);
  });

  it('H16 an application without controllers boots, answers and closes', async () => {
    const { app, url } = await startApp(stack);

    expect((await call(`${url}/`)).status).toBe(404);
    await app.close();
  });
});
