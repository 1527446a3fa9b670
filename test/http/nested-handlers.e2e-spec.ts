import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { Deadline } from 'nestjs-timeouts';
import type { TestApp } from '../support/app.js';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { call } from '../support/http-client.js';

const LIMIT = 150;

@Controller()
class NestedController {
  @Get('inner')
  async inner(): Promise<string> {
    await Promise.resolve();
    throw new Error('inner failed');
  }

  @Get('outer')
  async outer() {
    const inner = this.inner();
    const isPromise = inner instanceof Promise;
    return { isPromise, caught: await inner.catch((error: Error) => error.message) };
  }

  @Deadline(LIMIT)
  @Get('outer/deaf')
  async deaf() {
    await this.inner().catch(() => {});
    return new Promise(() => {});
  }
}

describe.each(STACKS)('handlers that call others on $adapter, $enforcement', (stack) => {
  let test: TestApp;

  beforeAll(async () => {
    test = await startApp(stack, { controllers: [NestedController] });
  });

  afterAll(closeApps);

  it('H16 get the promise that the other one gives', async () => {
    const { status, body } = await call(`${test.url}/outer`);

    expect({ status, body: JSON.parse(body) }).toEqual({
      status: 200,
      body: { isPromise: true, caught: 'inner failed' },
    });
  });

  it('H07 are answered at their deadline, and stay in flight, after such a call', async () => {
    const { status } = await call(`${test.url}/outer/deaf`);

    expect(status).toBe(504);
    expect(test.drain.inFlight).toBe(1);
  });
});
