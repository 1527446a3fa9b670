import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Body, Controller, Post } from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import type { Duration, TimeoutsModuleOptions } from 'nestjs-timeouts';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { expectOnTime } from '../support/http-client.js';
import { Notes } from '../support/notes.js';
import { RecordingLogger } from '../support/recording-logger.js';
import type { UploadAnswer } from '../support/slow-upload.js';
import { SlowUpload } from '../support/slow-upload.js';
import { watchProcess } from '../support/watch-process.js';

let notes = new Notes();

@Controller()
class UploadController {
  @Post('upload')
  upload(@Body() body: object) {
    notes.add('handler ran');
    return { read: JSON.stringify(body).length };
  }
}

const LENGTH = 1_000;
const HEADERS = ['Content-Type: application/json', `Content-Length: ${LENGTH}`];
const OPENING = '{"text":"';
const WHOLE = `${OPENING}${'x'.repeat(LENGTH - OPENING.length - 2)}"}`;

/** One limit at a time; the handler timeout is far away. */
const limits = (body: Exclude<TimeoutsModuleOptions['body'], Duration>): TimeoutsModuleOptions => ({
  handler: '20s',
  body: { idle: 'none', minRate: 'none', grace: '1ms', total: 'none', ...body },
});

describe.each(STACKS)('a slow upload, on $adapter with $enforcement', (stack) => {
  let logger = new RecordingLogger();
  const incidents = watchProcess();
  const expectQuiet = () => {
    expect(logger.at('error', 'fatal')).toEqual([]);
    expect(incidents).toEqual([]);
  };

  const start = async (options: TimeoutsModuleOptions) => {
    const settings = { controllers: [UploadController], nest: { logger }, options };
    const started = await startApp(stack, settings);
    return started;
  };
  const begin = (port: number, part = OPENING) => SlowUpload.open(port, '/upload', HEADERS, part);
  const expectCut = (answer: UploadAnswer, limitMs: number, detail: string) => {
    expect(answer.status).toBe(408);
    expect(answer.head).toMatch(/\r\ncontent-type: application\/problem\+json/i);
    expect(answer.head).toMatch(/\r\nconnection: close/i);
    expectOnTime(answer, limitMs);
    const problem = JSON.parse(answer.body) as { elapsedMs: number };
    expect(problem).toMatchObject({
      title: 'Request Timeout',
      status: 408,
      detail,
      instance: '/upload',
      code: 'body_timeout',
      layer: 'body',
      timeoutMs: limitMs,
    });
    expect(problem.elapsedMs).toBeGreaterThanOrEqual(limitMs);
  };

  beforeEach(() => {
    notes = new Notes();
    logger = new RecordingLogger();
    incidents.length = 0;
  });
  afterEach(async () => {
    await closeApps();
    expectQuiet();
  });

  it('B02 answers 408 when nothing arrives for the idle limit', async () => {
    const { port, outcomes, monitor } = await start(limits({ idle: '300ms' }));
    const upload = await begin(port);
    const detail = 'Timed out while reading request body: nothing arrived for 300ms';
    expectCut(await upload.answer(), 300, detail);
    const outcome = await eventually(() => outcomes[0]);
    expect(outcome).toMatchObject({
      result: 'deadline',
      layer: 'body',
      status: 408,
      timeoutMs: 300,
      loopDelayMs: 0,
    });
    expect(notes.all).toEqual([]);
    expect(monitor.snapshot().inFlight).toEqual([]);
  });

  it('B02 counts the idle limit from the last byte', async () => {
    const { port } = await start(limits({ idle: '300ms' }));
    const upload = await begin(port);
    await delay(200);
    upload.connection.send('x');
    const answer = await upload.answer();
    expect(answer.status).toBe(408);
    expect(answer.elapsedMs).toBeGreaterThanOrEqual(500);
    expect(notes.all).toEqual([]);
  });

  it('B03 cuts one byte at a time by the minimum rate, the idle limit far away', async () => {
    const { port, outcomes } = await start(limits({ idle: '10s', minRate: 240, grace: '300ms' }));
    const upload = await begin(port);
    upload.drip('x', 100);
    const detail = 'Timed out while reading request body: slower than 240 B/s';
    expectCut(await upload.answer(), 300, detail);
    const outcome = await eventually(() => outcomes[0]);
    expect(outcome).toMatchObject({ result: 'deadline', layer: 'body', status: 408 });
    expect(notes.all).toEqual([]);
  });

  it('B03 counts what came with the head, and cuts once the average is too low', async () => {
    const { port } = await start(limits({ minRate: 1_000, grace: '100ms' }));
    const upload = await begin(port, WHOLE.slice(0, 500));
    const answer = await upload.answer();
    expect(answer.status).toBe(408);
    // 500 bytes are worth 500 ms.
    expectOnTime(answer, 500);
    expect(notes.all).toEqual([]);
  });

  it('B04 never cuts inside the grace', async () => {
    const { port } = await start(limits({ minRate: 1_000_000, grace: '1500ms' }));
    const upload = await begin(port);
    await delay(600);
    upload.connection.send(WHOLE.slice(OPENING.length));
    await upload.connection.receives('{"read":1000}');
    upload.connection.leave();
    expect(notes.all).toEqual(['handler ran']);
  });

  it('B04 never cuts what is above the rate on average, with pauses below the idle limit', async () => {
    const { port } = await start(limits({ idle: '2s', minRate: 100, grace: '50ms' }));
    const upload = await begin(port, WHOLE.slice(0, 300));
    for (let sent = 300; sent < LENGTH; sent += 350) {
      await delay(600);
      upload.connection.send(WHOLE.slice(sent, sent + 350));
    }
    await upload.connection.receives('{"read":1000}');
    upload.connection.leave();
    expect(notes.all).toEqual(['handler ran']);
  });

  it('B05 cuts at the total, however steady', async () => {
    const { port, outcomes } = await start(limits({ idle: '5s', total: '400ms' }));
    const upload = await begin(port);
    upload.drip('xxxxx', 20);
    const detail = 'Timed out while reading request body: not complete within 400ms';
    expectCut(await upload.answer(), 400, detail);
    const outcome = await eventually(() => outcomes[0]);
    expect(outcome).toMatchObject({ result: 'deadline', layer: 'body', timeoutMs: 400 });
    expect(notes.all).toEqual([]);
  });

  it('B02 B03 B05 let a body that is in time reach its handler, and leave nothing behind', async () => {
    const { port, outcomes, monitor } = await start(
      limits({ idle: '150ms', minRate: 240, grace: '150ms', total: '400ms' }),
    );
    const upload = await begin(port);
    upload.connection.send(WHOLE.slice(OPENING.length));
    await upload.connection.receives('{"read":1000}');
    await delay(500);
    expect(upload.connection.socket.readyState).toBe('open');
    expect(outcomes).toMatchObject([{ result: 'completed', status: 201 }]);
    expect(monitor.snapshot().inFlight).toEqual([]);
    upload.connection.leave();
  });
});
