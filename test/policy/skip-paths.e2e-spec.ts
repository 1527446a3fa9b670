import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Module } from '@nestjs/common';
import { once } from 'node:events';
import type { TimeoutsModuleOptions } from 'nestjs-timeouts';
import { currentScope, Deadline, TimeoutsConfigurationError } from 'nestjs-timeouts';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { useEnvironment } from '../support/environment.js';
import { call } from '../support/http-client.js';
import { Notes } from '../support/notes.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';
import { RecordingLogger } from '../support/recording-logger.js';

let notes = new Notes();

@Controller('v1')
class ChatController {
  @Get(['chat', 'chat/stream', 'chatter', 'chats/:id/chat'])
  chat() {
    return { unlimited: currentScope().timeoutMs === Infinity };
  }

  @Deadline('2s')
  @Get('chat/limited')
  limited() {
    return { timeoutMs: Math.round(currentScope().timeoutMs) };
  }

  @Get('chat/wait')
  async wait() {
    const { signal } = currentScope();
    notes.add('started');
    await once(signal, 'abort');
    notes.add(`aborted: ${signal.reason.reason}`);
  }
}

@Controller('api/v1/chat')
class OtherController {
  @Get()
  chat() {
    return { unlimited: currentScope().timeoutMs === Infinity };
  }
}

describe.each(STACKS)('skipPaths, on $adapter with $enforcement', (stack) => {
  let logger = new RecordingLogger();
  const setEnvironment = useEnvironment();

  const start = (options: TimeoutsModuleOptions, prefix?: string) =>
    startApp(stack, {
      controllers: [ChatController, OtherController],
      options,
      nest: { logger },
      prepare: (app) => void (prefix && app.setGlobalPrefix(prefix)),
    });
  const get = async (url: string) => JSON.parse((await call(url)).body);

  beforeEach(() => {
    notes = new Notes();
    logger = new RecordingLogger();
  });
  afterEach(closeApps);

  it('P10 lifts the limit of a path and of what lies under it, by whole segments', async () => {
    const { url } = await start({ skipPaths: ['/v1/chat'] });
    for (const path of ['/v1/chat', '/v1/chat/stream', '/v1/chat?x=/', '/v1/chat/stream?x']) {
      expect([path, await get(url + path)]).toEqual([path, { unlimited: true }]);
    }
    for (const path of [
      '/v1/chatter',
      '/api/v1/chat',
      '/v1/chats/1/chat',
      '/v1/chatter?/v1/chat',
    ]) {
      expect([path, await get(url + path)]).toEqual([path, { unlimited: false }]);
    }
    expect(logger.at('warn')).toEqual([]);
  });

  it('P10 takes the variable, includes the global prefix, and yields to a decorator', async () => {
    setEnvironment({ REQUEST_TIMEOUT_SKIP_PATHS: 'shop/v1/chat' });
    const { url } = await start({}, 'shop');
    expect(await get(`${url}/shop/v1/chat`)).toEqual({ unlimited: true });
    expect(await get(`${url}/shop/v1/chat/limited`)).toEqual({ timeoutMs: 2_000 });
    expect(await get(`${url}/shop/api/v1/chat`)).toEqual({ unlimited: false });
    expect(logger.at('warn')).toEqual([]);
  });

  it('P10 warns about an entry that matches no route', async () => {
    await start({ skipPaths: ['/v1/chat', '/v1/caht', '/v1/chats/7'] });
    expect(logger.at('warn')).toEqual([
      'skipPaths: /v1/caht matches no route; remove it or correct its spelling Timeouts',
    ]);
  });

  it.each(['/', '', '  ', '/v1/*', '/v1/:id'])('P10 refuses %j', async (path) => {
    const error = await start({ skipPaths: [path] }).catch((caught) => caught);
    expect(error).toBeInstanceOf(TimeoutsConfigurationError);
    expect(error.faults).toEqual([
      expect.stringContaining(`an entry of skipPaths is ${JSON.stringify(path)}; allowed: `),
    ]);
  });

  it('P10 still cancels what its client leaves', async () => {
    const { port, outcomes } = await start({ skipPaths: ['/v1/chat'] });
    const client = await RawConnection.open(port);
    client.send(rawRequest('GET', '/v1/chat/wait'));
    await notes.seen('started');
    client.leave();
    await notes.seen('aborted: disconnect');
    expect((await eventually(() => outcomes[0])).status).toBe(499);
  });
});

describe('skipPaths without routes', () => {
  afterEach(closeApps);

  it('P10 warns in an application that has none', async () => {
    const logger = new RecordingLogger();
    class NoRoutes {}
    Module({})(NoRoutes);
    const options = { skipPaths: ['/v1/chat'] };
    await startApp(STACKS[0], { imports: [NoRoutes], options, nest: { logger } });
    expect(logger.at('warn')).toHaveLength(1);
  });
});
