import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { ExceptionFilter } from '@nestjs/common';
import { Catch, Controller, Post, UploadedFile, UseInterceptors } from '@nestjs/common';
import { APP_FILTER } from '@nestjs/core';
import { FileInterceptor } from '@nestjs/platform-express';
import { setImmediate as turn } from 'node:timers/promises';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { Notes } from '../support/notes.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { watchProcess } from '../support/watch-process.js';

let notes = new Notes();

@Controller()
class FileController {
  @UseInterceptors(FileInterceptor('file'))
  @Post('file')
  file(@UploadedFile() file: { size: number }) {
    notes.add(`handler ran with ${file.size} bytes`);
  }
}

@Catch()
class CatchAll implements ExceptionFilter {
  catch(error: unknown): void {
    notes.add(`filter: ${String(error)}`);
  }
}

const PART = [
  '--cut',
  'Content-Disposition: form-data; name="file"; filename="a.txt"',
  'Content-Type: text/plain',
  '',
  'half of it',
].join('\r\n');

// The multipart parser of the Fastify adapter is a package of its own.
const stacks = STACKS.filter(({ adapter }) => adapter === 'express');

describe.each(stacks)('a file whose client leaves, on $adapter with $enforcement', (stack) => {
  let logger = new RecordingLogger();
  const incidents = watchProcess();

  beforeEach(() => {
    notes = new Notes();
    logger = new RecordingLogger();
  });
  afterEach(closeApps);

  it.each([true, false])('D03 never hands the handler half a file; own filter: %s', async (own) => {
    const { port, outcomes, monitor } = await startApp(stack, {
      controllers: [FileController],
      providers: own ? [{ provide: APP_FILTER, useClass: CatchAll }] : [],
      nest: { logger },
    });
    const client = await RawConnection.open(port);
    const headers = ['Content-Type: multipart/form-data; boundary=cut', 'Content-Length: 1000'];
    client.send(rawRequest('POST', '/file', headers, PART));
    await eventually(() => monitor.snapshot().inFlight[0]?.route === 'POST /file');
    client.leave();
    const outcome = await eventually(() => outcomes[0]);
    expect(outcome).toMatchObject({ name: 'POST /file', result: 'disconnect', status: 499 });
    for (let turns = 0; turns < 20; turns++) await turn();
    expect(notes.all).toEqual([]);
    expect(logger.at('error', 'fatal', 'warn')).toEqual([]);
    expect(incidents).toEqual([]);
  });
});
