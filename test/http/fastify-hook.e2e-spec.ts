import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { currentScope, Deadline } from 'nestjs-timeouts';
import { closeApps, startApp, ADAPTER_STACKS } from '../support/app.js';
import { call, expectProblem } from '../support/http-client.js';
import { forever } from '../support/work.js';

const LIMIT = 200;

@Controller()
class HookController {
  @Deadline(LIMIT)
  @Get('forever')
  forever() {
    return forever();
  }

  @Get('fast')
  fast() {
    return 'done';
  }
}

type Hook = (request: unknown, reply: unknown, done: (error?: Error) => void) => unknown;

interface Hooks {
  readonly before?: Hook;
  readonly after?: Hook;
}

const ON_FASTIFY = ADAPTER_STACKS.filter(({ adapter }) => adapter === 'fastify');

describe.each(ON_FASTIFY)('the request hook of the Fastify adapter, $enforcement', (stack) => {
  afterEach(closeApps);

  const start = (hooks: Hooks) => {
    const adapter = new FastifyAdapter();
    if (hooks.before) adapter.setOnRequestHook(hooks.before as never);
    return startApp(stack, {
      adapter,
      controllers: [HookController],
      prepare: async (app) => {
        await app.init();
        if (hooks.after) adapter.setOnRequestHook(hooks.after as never);
      },
    });
  };
  const names: string[] = [];
  const hook: Hook = (_request, _reply, done) => {
    names.push(currentScope().name);
    done();
  };
  const asyncHook: Hook = async (_request, _reply, done) => done();
  const failing: Hook = () => Promise.reject(new Error('refused'));

  it.each<[string, Hooks]>([
    ['set before the module', { before: hook }],
    ['set after it', { after: hook }],
    ['that is asynchronous', { after: asyncHook }],
    ['that takes the place of another', { before: failing, after: hook }],
  ])('H10 one of the application %s runs, inside the scope of the request', async (_, hooks) => {
    names.length = 0;
    const { url } = await start(hooks);

    expect(await call(`${url}/fast`)).toMatchObject({ status: 200, body: 'done' });
    expectProblem(await call(`${url}/forever`), LIMIT);

    expect(names).toEqual(hooks.after === asyncHook ? [] : ['(no route)', '(no route)']);
  });

  it('H10 one that fails is answered as before', async () => {
    const { url, outcomes } = await start({ before: failing });
    expect(await call(`${url}/fast`)).toMatchObject({ status: 500 });
    expect(outcomes[0]).toMatchObject({ status: 500 });
  });
});
