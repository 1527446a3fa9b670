import { afterEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import { setTimeout as wait } from 'node:timers/promises';
import { SkipTimeout } from 'nestjs-timeouts';
import { firstValueFrom } from 'rxjs';
import { Notes } from '../support/notes.js';
import { closeServices, SERVICES, startService } from './fixtures/rpc.js';

let notes = new Notes();

@Controller()
@SkipTimeout()
class WorkController {
  @MessagePattern('work')
  async work(ms: number) {
    notes.add('began');
    await wait(ms);
    return 'done';
  }

  @MessagePattern('hung')
  hung() {
    notes.add('began');
    return wait(500);
  }

  @MessagePattern('large')
  async large() {
    notes.add('began');
    await wait(100);
    return 'x'.repeat(200_000);
  }
}

afterEach(async () => {
  await closeServices();
  notes = new Notes();
});

describe.each(SERVICES)('draining messages over TCP, %s', (kind) => {
  const start = (grace: number) =>
    startService(kind, { controllers: [WorkController], options: { shutdown: { grace } } });

  it('G04 what is in flight is answered before its transport is closed', async () => {
    const service = await start(5_000);
    const answers = [
      firstValueFrom(service.client.send('work', 200)),
      firstValueFrom(service.client.send('large', {})),
    ];
    await notes.seen('began', 2);
    expect(service.monitor.snapshot().inFlight.map(({ route }) => route)).toEqual([
      'rpc work',
      'rpc large',
    ]);

    const closed = service.app.close();
    await notes.seen('began');
    const during = firstValueFrom(service.client.send('work', 50));

    const [work, large] = await Promise.all(answers);
    expect([work, (large as string).length, await during]).toEqual(['done', 200_000, 'done']);
    await closed;
    expect(service.drain.state).toBe('closed');
  });

  it('G05 at the grace the rest is answered with the reason', async () => {
    const service = await start(100);
    const answer = firstValueFrom(service.client.send('hung', {})).catch((error: unknown) => error);
    await notes.seen('began');

    const closed = service.app.close();

    expect(await answer).toEqual({
      status: 'error',
      code: 'shutting_down',
      layer: 'shutdown',
      message: 'The server is shutting down',
      elapsedMs: expect.any(Number),
    });
    await closed;
    expect(service.outcomes[0]).toMatchObject({ name: 'rpc hung', result: 'shutdown', late: true });
  });

  it('G04 idle connections do not delay the end', async () => {
    const service = await start(5_000);

    const closedAt = performance.now();
    await service.app.close();

    expect(performance.now() - closedAt).toBeLessThan(200);
  });
});
