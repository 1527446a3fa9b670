import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Post, Req } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import { closeApps, startApp, ADAPTER_STACKS } from '../support/app.js';
import { Notes } from '../support/notes.js';
import type { AnyRequest } from '../support/raw-uploads.js';
import { leaveRawBodies, rawOf } from '../support/raw-uploads.js';
import { SlowUpload } from '../support/slow-upload.js';
import { PHASES } from '../support/stall-phases.js';
import { uploadSteadily } from '../support/steady-upload.js';
import { block } from '../support/work.js';

let notes = new Notes();

@Controller()
class UploadController {
  @Post('raw')
  async raw(@Req() request: AnyRequest) {
    let bytes = 0;
    for await (const chunk of rawOf(request)) {
      notes.add('arrived');
      bytes += (chunk as Buffer).length;
    }
    return { bytes };
  }
}

const STALL_MS = 1_200;
/** 2,000 bytes in a second, for 2.5 s. */
const UPLOAD = { path: '/raw', pieces: 50, size: 100, everyMs: 50 };
const LIMITS = {
  handler: '20s',
  body: { idle: '400ms', minRate: 1_000, grace: '300ms', total: '15s' },
} as const;

// The event loop is the same under both ways of enforcement.
const stacks = ADAPTER_STACKS.filter(({ enforcement }) => enforcement === 'auto');

describe.each(stacks)('a server that stalls, on $adapter', (stack) => {
  beforeEach(() => {
    notes = new Notes();
  });
  afterEach(closeApps);

  it.each(Object.keys(PHASES))(
    'B07 does not blame a steady upload for its own stall in the phase: %s',
    async (phase) => {
      const { port, outcomes } = await startApp(stack, {
        controllers: [UploadController],
        prepare: leaveRawBodies,
        options: LIMITS,
      });
      const answered = uploadSteadily(port, UPLOAD);
      await notes.seen('arrived', 4);
      PHASES[phase]!(() => block(STALL_MS));
      const answer = await answered;
      expect(answer).toMatch(/^HTTP\/1\.1 201 /);
      expect(answer).toContain('{"bytes":5000}');
      expect(outcomes).toMatchObject([{ result: 'completed' }]);
    },
  );

  it('B07 does not blame a steady upload for stall after stall', async () => {
    const { port, outcomes } = await startApp(stack, {
      controllers: [UploadController],
      prepare: leaveRawBodies,
      options: LIMITS,
    });
    const answered = uploadSteadily(port, UPLOAD);
    await notes.seen('arrived', 2);
    for (const run of [...Object.values(PHASES), ...Object.values(PHASES)]) {
      run(() => block(450));
      await delay(0);
    }
    expect(await answered).toContain('{"bytes":5000}');
    expect(outcomes).toMatchObject([{ result: 'completed' }]);
  });

  it('B07 cuts a client that stopped although its own stalls hid it', async () => {
    const { port, outcomes } = await startApp(stack, {
      controllers: [UploadController],
      prepare: leaveRawBodies,
      options: LIMITS,
    });
    const headers = ['Content-Type: application/octet-stream', 'Content-Length: 1000'];
    const upload = await SlowUpload.open(port, '/raw', headers, 'x'.repeat(900));
    await notes.seen('arrived');
    block(STALL_MS);
    expect((await upload.answer()).status).toBe(408);
    expect(outcomes).toMatchObject([{ result: 'deadline', layer: 'body', status: 408 }]);
  });
});
