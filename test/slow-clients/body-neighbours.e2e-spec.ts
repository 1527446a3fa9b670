import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { CanActivate } from '@nestjs/common';
import {
  Body,
  Controller,
  Injectable,
  Post,
  Req,
  UnauthorizedException,
  UseGuards,
} from '@nestjs/common';
import { setTimeout as delay } from 'node:timers/promises';
import type { TimeoutsModuleOptions } from 'nestjs-timeouts';
import { currentScope, Deadline, SkipTimeout } from 'nestjs-timeouts';
import { closeApps, startApp, ADAPTER_STACKS } from '../support/app.js';
import { CountingClock } from '../support/counting-clock.js';
import { eventually } from '../support/eventually.js';
import { Notes } from '../support/notes.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';
import type { AnyRequest } from '../support/raw-uploads.js';
import { leaveRawBodies, RAW, rawOf } from '../support/raw-uploads.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { SlowUpload } from '../support/slow-upload.js';
import { watchProcess } from '../support/watch-process.js';

let notes = new Notes();

@Injectable()
class RefuseAll implements CanActivate {
  canActivate(): boolean {
    throw new UnauthorizedException();
  }
}

@Controller()
class UploadController {
  @Post('parsed')
  parsed(@Body() body: object) {
    notes.add('parsed ran');
    return body;
  }

  @Deadline({ onDisconnect: 'continue' })
  @Post('continue')
  async continue(@Req() request: AnyRequest) {
    notes.add('started');
    rawOf(request).on('error', () => notes.add('body failed'));
    await notes.seen('go on');
    notes.add(`went on: ${currentScope().reason}`);
  }

  @UseGuards(RefuseAll)
  @Post('refused')
  refused() {
    notes.add('refused ran');
  }

  @Post('early')
  early() {
    return 'early';
  }

  @SkipTimeout('body')
  @Post('patient')
  async patient(@Req() request: AnyRequest) {
    notes.add('started');
    let bytes = 0;
    for await (const chunk of rawOf(request)) bytes += (chunk as Buffer).length;
    return { bytes };
  }
}

const JSON_HEAD = ['Content-Type: application/json', 'Content-Length: 1000'];
const OPENING = '{"half":';
const LIMITED: TimeoutsModuleOptions = { handler: '20s', body: { idle: '300ms' } };

describe.each(ADAPTER_STACKS)(
  'what body limits leave alone, on $adapter with $enforcement',
  (stack) => {
    let logger = new RecordingLogger();
    const incidents = watchProcess();
    const expectQuiet = () => {
      expect(logger.at('error', 'fatal')).toEqual([]);
      expect(incidents).toEqual([]);
    };

    const start = (options: TimeoutsModuleOptions) =>
      startApp(stack, {
        controllers: [UploadController],
        nest: { logger },
        prepare: leaveRawBodies,
        options,
      });

    beforeEach(() => {
      notes = new Notes();
      logger = new RecordingLogger();
      incidents.length = 0;
    });
    afterEach(async () => {
      await closeApps();
      expectQuiet();
    });

    it('P10 B02 holds on paths whose handler timeout is lifted', async () => {
      const { port } = await start({ ...LIMITED, handler: '100ms', skipPaths: ['/parsed'] });
      const answer = await (await SlowUpload.open(port, '/parsed', JSON_HEAD, OPENING)).answer();
      expect(answer.status).toBe(408);
      expect(answer.elapsedMs).toBeGreaterThanOrEqual(300);
      expect(answer.body).toContain('nothing arrived for 300ms');
    });

    it('B06 gives the same answer where the handler timeout comes first', async () => {
      const { port, outcomes } = await start({ ...LIMITED, handler: '150ms' });
      const answer = await (await SlowUpload.open(port, '/parsed', JSON_HEAD, OPENING)).answer();
      expect(answer.status).toBe(408);
      expect(JSON.parse(answer.body)).toMatchObject({
        detail: 'Timed out while reading request body',
        code: 'body_timeout',
        layer: 'body',
        timeoutMs: 150,
      });
      expect(outcomes).toMatchObject([{ result: 'deadline', layer: 'handler', status: 408 }]);
      expect(notes.all).toEqual([]);
    });

    it('B04 never cuts where the limits are lifted, and sets no alarm for them', async () => {
      const clock = new CountingClock();
      const { port } = await start({ ...LIMITED, clock });
      const upload = await SlowUpload.open(port, '/patient', [RAW, 'Content-Length: 8'], 'half');
      await notes.seen('started');
      const { set } = clock;
      await delay(600);
      expect(clock.set).toBe(set);
      upload.connection.send('half');
      await upload.connection.receives('{"bytes":8}');
      upload.connection.leave();
    });

    it('B02 does not touch work that goes on without its client', async () => {
      const { port, outcomes } = await start(LIMITED);
      const client = await RawConnection.open(port);
      client.send(rawRequest('POST', '/continue', [RAW, 'Content-Length: 1000'], 'part'));
      await notes.seen('started');
      client.leave();
      await notes.seen('body failed');
      await delay(500);
      notes.add('go on');
      await notes.seen('went on: undefined');
      const outcome = await eventually(() => outcomes[0]);
      expect(outcome).toMatchObject({ result: 'completed', status: 499 });
    });

    it.each([
      ['says nothing more', undefined],
      ['drips', 20],
    ])(
      'B02 B03 a client that was answered early and %s loses its connection',
      async (_, everyMs) => {
        const { port, outcomes } = await start({
          handler: '20s',
          body: { idle: '400ms', minRate: 1_000, grace: '600ms' },
        });
        const client = await RawConnection.open(port);
        client.send(rawRequest('POST', '/early', [RAW, 'Content-Length: 100000'], 'part'));
        const dripping = everyMs && setInterval(() => client.send('x'), everyMs);
        await client.receives('early');
        expect(client.received).toMatch(/^HTTP\/1.1 201/);

        const answeredAt = performance.now();
        await client.closed;
        clearInterval(dripping);

        expect(performance.now() - answeredAt).toBeGreaterThan(350);
        expect(outcomes).toMatchObject([{ result: 'completed', status: 201 }]);
      },
    );

    it('B04 a client that was answered early and sends the rest keeps its connection', async () => {
      const { port, outcomes } = await start(LIMITED);
      const client = await RawConnection.open(port);
      client.send(rawRequest('POST', '/refused', [RAW, 'Content-Length: 1000'], 'part'));
      await client.receives('HTTP/1.1 401');

      const next = rawRequest('POST', '/parsed', [JSON_HEAD[0]!, 'Content-Length: 2'], '{}');
      client.send('x'.repeat(996) + next);

      await client.receives('HTTP/1.1 201');
      expect(outcomes.map(({ result }) => result)).toEqual(['completed', 'completed']);
      client.leave();
    });
  },
);
