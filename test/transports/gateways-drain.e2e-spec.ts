import { afterEach, describe, expect, it } from '@jest/globals';
import { SubscribeMessage, WebSocketGateway } from '@nestjs/websockets';
import { setTimeout as wait } from 'node:timers/promises';
import { SkipTimeout } from 'nestjs-timeouts';
import { interval, map } from 'rxjs';
import { Notes } from '../support/notes.js';
import { closeGateways, PLATFORMS, startGateway } from './fixtures/gateway.js';

let notes = new Notes();

@WebSocketGateway()
@SkipTimeout()
class WorkGateway {
  @SubscribeMessage('work')
  async work() {
    notes.add('began');
    await wait(200);
    return { event: 'done', data: 1 };
  }

  @SubscribeMessage('deaf')
  async deaf() {
    notes.add('began');
    await wait(500);
  }

  @SubscribeMessage('ticks')
  ticks() {
    notes.add('began');
    return interval(40).pipe(map((data) => ({ event: 'tick', data })));
  }
}

afterEach(async () => {
  await closeGateways();
  notes = new Notes();
});

/** What tells a client to come back elsewhere. */
const FAREWELL = { ws: 1001, 'socket.io': 'transport close' } as const;

describe.each(PLATFORMS)('draining gateways on %s', (platform) => {
  const start = (grace: number) =>
    startGateway(platform, { providers: [WorkGateway], options: { shutdown: { grace } } });

  it('G04 what is in flight is answered first, then clients get a close frame', async () => {
    const { app, connect, monitor } = await start(5_000);
    const client = await connect();
    const done = client.next('done');
    client.send('work');
    await notes.seen('began');
    expect(monitor.snapshot().inFlight.map(({ route }) => route)).toEqual(['ws work']);

    const closed = app.close();

    expect(await done).toBe(1);
    expect(await client.ended).toBe(FAREWELL[platform]);
    await closed;
  });

  it('G04 clients that say nothing get their close frame too, and do not delay the end', async () => {
    const { app, connect } = await start(5_000);
    const client = await connect();

    const closedAt = performance.now();
    await app.close();

    expect(performance.now() - closedAt).toBeLessThan(300);
    expect(await client.ended).toBe(FAREWELL[platform]);
  });

  it('G05 at the grace the rest is told the reason, a stream too, and then ended', async () => {
    const { app, connect, outcomes } = await start(100);
    const [deaf, streaming] = [await connect(), await connect()];
    const told = [deaf.next('exception'), streaming.next('exception')];
    deaf.send('deaf');
    streaming.send('ticks');
    await notes.seen('began', 2);

    const closed = app.close();

    for (const exception of await Promise.all(told)) {
      expect(exception).toMatchObject({
        status: 'error',
        code: 'shutting_down',
        layer: 'shutdown',
        message: 'The server is shutting down',
      });
    }
    expect(await deaf.ended).toBe(FAREWELL[platform]);
    await closed;
    expect(outcomes.map(({ result }) => result)).toEqual(['shutdown', 'shutdown', 'shutdown']);
  });
});
