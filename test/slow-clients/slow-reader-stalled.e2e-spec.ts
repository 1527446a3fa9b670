import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, Res, Sse, StreamableFile } from '@nestjs/common';
import type { ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { TimeoutsModuleOptions } from 'nestjs-timeouts';
import { currentScope, Deadline } from 'nestjs-timeouts';
import { concat, interval, map, take, timer } from 'rxjs';
import { closeApps, startApp, ADAPTER_STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { call } from '../support/http-client.js';
import { Notes } from '../support/notes.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { SlowReader } from '../support/slow-reader.js';
import { watchProcess } from '../support/watch-process.js';

const GRACE = 300;
/** What is over the system's own buffers many times. */
const SIZE = 32_000_000;
const LARGE = Buffer.alloc(SIZE, 'x');
/** A few of them fill those, so that the client has as good as stopped from the start. */
const PIECE = LARGE.subarray(0, 1_000_000);
const TEXTS = Array.from({ length: 32 }, () => 'x'.repeat(1_000_000));

let notes = new Notes();

type Reply = ServerResponse & { raw?: ServerResponse; hijack?: () => void };

/** Node's own response, which the handler is to answer on. */
function rawOf(reply: Reply): ServerResponse {
  reply.hijack?.();
  return reply.raw ?? reply;
}

function noteCancel(): void {
  const { signal } = currentScope();
  signal.addEventListener('abort', () => notes.add(`aborted: ${signal.reason.code}`));
}

function source(): Readable {
  return new Readable({
    read() {
      this.push(PIECE);
    },
    destroy(error, done) {
      notes.add('source closed');
      done(error);
    },
  });
}

@Controller()
class LargeController {
  @Get('file')
  file() {
    noteCancel();
    return new StreamableFile(source());
  }

  @Get('generator')
  async *generator() {
    noteCancel();
    try {
      for (;;) {
        await delay(1);
        yield PIECE;
      }
    } finally {
      notes.add('source closed');
    }
  }

  @Get('json')
  json() {
    noteCancel();
    return TEXTS;
  }

  @Get('whole-file')
  wholeFile() {
    noteCancel();
    return new StreamableFile(LARGE);
  }

  @Get('written')
  written(@Res() reply: Reply) {
    noteCancel();
    rawOf(reply).end(LARGE);
  }

  /** Does not look at what `write` says. */
  @Get('pushed')
  pushed(@Res() reply: Reply) {
    noteCancel();
    const res = rawOf(reply);
    const pushing = setInterval(() => res.write(PIECE), 1);
    res.on('close', () => {
      clearInterval(pushing);
      notes.add('source closed');
    });
  }

  @Sse('events')
  events() {
    noteCancel();
    // More than the system buffers, and less than Nest does.
    const many = timer(0, 1).pipe(
      take(6),
      map(() => ({ data: PIECE.toString() })),
    );
    return concat(many, interval(50).pipe(map(() => ({ data: 'more' }))));
  }

  @Deadline({ handler: '20s', onDisconnect: 'continue' })
  @Get('kept-on')
  async *keptOn() {
    yield* this.generator();
  }

  @Get('quick')
  quick() {
    return 'quick';
  }
}

const LIMITS = { response: { minRate: 240, grace: GRACE } } as const;

describe.each(ADAPTER_STACKS)(
  'a client that stops reading, on $adapter with $enforcement',
  (stack) => {
    let logger = new RecordingLogger();
    let readers: SlowReader[] = [];
    const incidents = watchProcess();
    const expectQuiet = () => {
      expect(logger.at('error', 'fatal')).toEqual([]);
      expect(incidents).toEqual([]);
    };

    const start = (options: TimeoutsModuleOptions = LIMITS) =>
      startApp(stack, { controllers: [LargeController], nest: { logger }, options });
    const open = async (port: number, path: string) => {
      const reader = await SlowReader.open(port, path);
      readers.push(reader);
      return reader;
    };
    /** Of a client that took what fits into the system's buffers, and nothing since. */
    const expectInBounds = ({ waited: { elapsedMs, stalledMs } }: SlowReader) => {
      expect(elapsedMs).toBeGreaterThanOrEqual(GRACE);
      expect(elapsedMs - stalledMs).toBeLessThanOrEqual(2.2 * GRACE + 100);
    };

    beforeEach(() => {
      notes = new Notes();
      logger = new RecordingLogger();
      readers = [];
      incidents.length = 0;
    });
    afterEach(async () => {
      for (const reader of readers) reader.leave();
      await closeApps();
      expectQuiet();
    });

    it.each([
      ['a stream of unknown length', 'file', true],
      ['a generator', 'generator', true],
      ['a generator whose route goes on without its client', 'kept-on', true],
      ['a large JSON answer', 'json', false],
      ['a large file in memory', 'whole-file', false],
      ['one large write', 'written', false],
      ['writes without regard', 'pushed', true],
      ['events that keep coming', 'events', false],
    ])('B11 resets the connection within the bound: %s', async (_what, path, hasSource) => {
      const { port, outcomes, monitor } = await start();
      const reader = await open(port, `/${path}`);
      const outcome = await eventually(() => outcomes[0]);
      expectInBounds(reader);
      expect(outcome).toMatchObject({
        name: `GET /${path}`,
        result: 'deadline',
        layer: 'response',
        timeoutMs: GRACE,
        status: 200,
        late: false,
        error: {
          code: 'response_timeout',
          message: 'Client read the response slower than 240 B/s',
        },
      });
      await notes.seen('aborted: response_timeout');
      if (hasSource) await notes.seen('source closed');
      expect(await reader.endOfConnection()).toBe('ECONNRESET');
      expect(reader.bytes).toBeLessThan(SIZE);
      expect(outcomes).toHaveLength(1);
      await eventually(() => monitor.snapshot().inFlight.length === 0);
      expect(monitor.snapshot().counters).toEqual([
        { layer: 'response', reason: 'deadline', route: `GET /${path}`, count: 1 },
      ]);
    });

    it('B11 gives a client that has read a lot no more than one grace on top', async () => {
      const { port, outcomes } = await start();
      const reader = (await open(port, '/file')).sip(500_000_000);
      await eventually(() => reader.bytes > SIZE);
      reader.pause();
      const outcome = await eventually(() => outcomes[0]);
      expectInBounds(reader);
      expect(outcome).toMatchObject({ result: 'deadline', layer: 'response' });
    });

    it('B11 leaves a client alone that pauses for less than the grace, again and again', async () => {
      const { port, outcomes } = await start();
      const reader = await open(port, '/written');
      for (let pauses = 0; pauses < 4; pauses++) {
        await delay(GRACE / 2);
        const goal = Math.min(reader.bytes + SIZE / 4, SIZE);
        reader.sip(500_000_000);
        await eventually(() => reader.bytes >= goal);
        reader.pause();
      }
      reader.sip(500_000_000);
      const outcome = await eventually(() => outcomes[0]);
      expect(outcome).toMatchObject({ result: 'completed', status: 200 });
      await eventually(() => reader.bytes > SIZE);
    });

    it('B11 cuts nobody where there is no minimum rate', async () => {
      const { port, outcomes } = await start({ response: { minRate: 'none', grace: GRACE } });
      const reader = await open(port, '/written');
      await delay(4 * GRACE);
      expect(outcomes).toEqual([]);
      reader.gulp();
      await eventually(() => outcomes.length === 1);
      expect(outcomes).toMatchObject([{ result: 'completed' }]);
    });

    it('B11 leaves the other connections alone', async () => {
      const { port, url, outcomes } = await start();
      const reader = await open(port, '/file');
      while (outcomes.every(({ layer }) => layer !== 'response')) {
        expect(await call(`${url}/quick`)).toMatchObject({
          status: 200,
          body: 'quick',
          whole: true,
        });
      }
      expectInBounds(reader);
    });
  },
);
