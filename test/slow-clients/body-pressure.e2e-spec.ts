import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Post, Req } from '@nestjs/common';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { TimeoutsModuleOptions } from 'nestjs-timeouts';
import { closeApps, startApp, ADAPTER_STACKS } from '../support/app.js';
import { Notes } from '../support/notes.js';
import type { AnyRequest } from '../support/raw-uploads.js';
import { leaveRawBodies, RAW, rawOf } from '../support/raw-uploads.js';
import { SlowUpload } from '../support/slow-upload.js';

const HOLD_MS = 1_000;
const IDLE_MS = 300;
const SIZE = 4 * 2 ** 20;
const HEADERS = [RAW, `Content-Length: ${SIZE}`];

let notes = new Notes();

@Controller()
class UploadController {
  /** Leaves the body alone for a while after its first piece. */
  @Post('held')
  async held(@Req() request: AnyRequest) {
    let bytes = 0;
    for await (const chunk of rawOf(request)) {
      if (bytes === 0) await delay(HOLD_MS);
      bytes += (chunk as Buffer).length;
      notes.add('read');
    }
    return { bytes };
  }

  /** Has other things to do first. */
  @Post('later')
  async later(@Req() request: AnyRequest) {
    await delay(HOLD_MS);
    let bytes = 0;
    for await (const chunk of rawOf(request)) bytes += (chunk as Buffer).length;
    return { bytes };
  }

  /** Takes about a second, with pauses all the time. */
  @Post('slow-disk')
  async slowDisk(@Req() request: AnyRequest) {
    let bytes = 0;
    const disk = new Writable({
      highWaterMark: SIZE / 8,
      write(chunk: Buffer, _encoding, done) {
        bytes += chunk.length;
        if (bytes % (SIZE / 8) < chunk.length) setTimeout(done, 2 * IDLE_MS);
        else done();
      },
    });
    await pipeline(rawOf(request), disk);
    return { bytes };
  }
}

const limits = (body: TimeoutsModuleOptions['body']): TimeoutsModuleOptions => ({
  handler: '20s',
  body,
});

// Both ways of enforcement start when the body does.
const stacks = ADAPTER_STACKS.filter(({ enforcement }) => enforcement === 'auto');

describe.each(stacks)('an application that does not read, on $adapter', (stack) => {
  const start = (options: TimeoutsModuleOptions) =>
    startApp(stack, { controllers: [UploadController], prepare: leaveRawBodies, options });
  const upload = (port: number, path: string, size = SIZE) =>
    SlowUpload.open(port, path, HEADERS, 'x'.repeat(size));

  beforeEach(() => {
    notes = new Notes();
  });
  afterEach(closeApps);

  it.each(['held', 'later', 'slow-disk'])(
    'B07 does not blame the client for what is not read: %s',
    async (path) => {
      const rate = SIZE / 2;
      const { port, outcomes } = await start(
        limits({ idle: IDLE_MS, minRate: rate, grace: '200ms' }),
      );
      const { connection } = await upload(port, `/${path}`);
      await connection.receives(`{"bytes":${SIZE}}`);
      expect(outcomes).toMatchObject([{ result: 'completed', status: 201 }]);
      connection.leave();
    },
  );

  it('B07 gives the client a full idle limit from where the application reads again', async () => {
    const { port } = await start(limits({ idle: IDLE_MS }));
    const slow = await upload(port, '/held', SIZE / 2);
    const resumedAt = await notes.seen('read');
    const answer = await slow.answer();
    expect(answer.status).toBe(408);
    expect(answer.elapsedMs).toBeGreaterThanOrEqual(HOLD_MS + IDLE_MS);
    expect(performance.now() - resumedAt).toBeGreaterThanOrEqual(IDLE_MS);
  });

  it('B05 counts into the total what the application takes its time for', async () => {
    const { port, outcomes } = await start(limits({ total: '600ms' }));
    const answer = await (await upload(port, '/held')).answer();
    expect(answer.status).toBe(408);
    expect(answer.body).toContain('not complete within 600ms');
    expect(outcomes).toMatchObject([{ result: 'deadline', layer: 'body', timeoutMs: 600 }]);
  });
});
