import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller, Get } from '@nestjs/common';
import { closeApps, STACKS, startApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { call } from '../support/http-client.js';

@Controller()
class QuickController {
  @Get('quick')
  quick() {
    return {};
  }
}

afterEach(closeApps);

/** What keeps the process alive now and did not before. */
function added(before: readonly string[]): string[] {
  const known = [...before];
  return process.getActiveResourcesInfo().filter((kind) => {
    const index = known.indexOf(kind);
    if (index >= 0) known.splice(index, 1);
    return index < 0;
  });
}

describe.each(STACKS)('closing on $adapter ($enforcement)', (stack) => {
  const start = () =>
    startApp(stack, {
      hooks: false,
      controllers: [QuickController],
      options: { shutdown: { grace: '10s', readinessDelay: '10s' } },
    });

  it('G10 app.close() takes no readiness delay, and leaves nothing behind', async () => {
    const before = process.getActiveResourcesInfo();
    const listeners = process.listenerCount('SIGTERM');
    const closings: number[] = [];
    for (let count = 0; count < 3; count++) {
      const { app, url } = await start();
      await call(`${url}/quick`);
      expect(process.listenerCount('SIGTERM')).toBe(1);
      const closedAt = performance.now();
      await app.close();
      closings.push(performance.now() - closedAt);
    }

    // Of three, because other processes may have the processor meanwhile.
    expect(Math.min(...closings)).toBeLessThan(50);
    expect(process.listenerCount('SIGTERM')).toBe(listeners);
    await eventually(() => added(before).length === 0, 'the end of every handle');
  });

  it('G10 twenty applications in a row add no listeners, so no warning', async () => {
    for (let count = 0; count < 20; count++) await start();

    expect(process.listenerCount('SIGTERM')).toBe(1);
  });
});
