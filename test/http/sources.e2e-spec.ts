import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, StreamableFile } from '@nestjs/common';
import { createReadStream } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { bindScope, currentScope, Deadline } from 'nestjs-timeouts';
import { concat, Observable, of } from 'rxjs';
import type { TestApp } from '../support/app.js';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { call, expectOnTime, expectProblem } from '../support/http-client.js';
import { Notes } from '../support/notes.js';
import { endless } from '../support/work.js';

const LIMIT = 150;

let notes = new Notes();

const ended = (what: string) => () => notes.add(`${what} ended`);

/** Never ends by itself; says when it is let go of. */
function watched(what: string): Observable<unknown> {
  return new Observable(() => ended(what));
}

async function* pieces(what: string, first?: string): AsyncGenerator<string> {
  try {
    if (first !== undefined) yield first;
    for (;;) {
      await delay(20, undefined, { signal: currentScope().signal });
      if (first !== undefined) yield 'more';
    }
  } finally {
    notes.add(`${what} ended`);
  }
}

function webStream(what: string, first?: string): ReadableStream<string> {
  return new ReadableStream({
    start: (controller) => {
      if (first !== undefined) controller.enqueue(first);
    },
    cancel: ended(what),
  });
}

/** Nothing is sent before the deadline. */
@Controller('hung')
@Deadline(LIMIT)
class HungController {
  @Get('observable')
  observable() {
    return watched('observable');
  }

  @Get('emitting')
  emitting() {
    return concat(of(1), watched('emitting'));
  }

  @Get('promised')
  async promised() {
    await delay(10);
    return watched('promised');
  }

  @Get('generator')
  generator() {
    return pieces('generator');
  }

  @Get('file')
  file() {
    const stream = endless(ended('file'));
    stream.read = () => null;
    return new StreamableFile(stream);
  }

  @Get('web')
  web() {
    return webStream('web');
  }

  @Get('response')
  response() {
    return new Response(webStream('response').pipeThrough(new TextEncoderStream()));
  }
}

/** The first piece is sent in time, and then no end comes. */
@Controller('begun')
@Deadline({ handler: '10s', stream: { total: LIMIT } })
class BegunController {
  @Get('generator')
  generator() {
    return pieces('generator', 'first');
  }

  @Get('bound')
  bound() {
    return bindScope(pieces('bound', 'first'));
  }

  @Get('file')
  file() {
    return new StreamableFile(endless(ended('file')));
  }

  @Get('disk')
  disk() {
    const stream = createReadStream('/dev/zero', { highWaterMark: 64 });
    stream.on('close', ended('disk'));
    return new StreamableFile(stream);
  }

  @Get('web')
  web() {
    return webStream('web', 'first');
  }

  @Get('response')
  response() {
    const body = webStream('response', 'first').pipeThrough(new TextEncoderStream());
    return new Response(body);
  }
}

describe.each(STACKS)('sources of answers on $adapter, $enforcement', (stack) => {
  let test: TestApp;

  beforeAll(async () => {
    test = await startApp(stack, { controllers: [HungController, BegunController] });
  });

  beforeEach(() => {
    notes = new Notes();
  });

  afterAll(closeApps);

  it('H13 a source that gave nothing by the deadline is ended, and answered 504', async () => {
    const sources = ['observable', 'emitting', 'promised', 'generator', 'file', 'web', 'response'];

    const answers = await Promise.all(sources.map((source) => call(`${test.url}/hung/${source}`)));

    for (const answer of answers) expectProblem(answer, LIMIT);
    for (const source of sources) await notes.seen(`${source} ended`);
  });

  it('H13 a source that has begun is ended with the answer, which is not whole', async () => {
    const sources = ['generator', 'bound', 'file', 'disk', 'web', 'response'];

    const answers = await Promise.all(sources.map((source) => call(`${test.url}/begun/${source}`)));

    for (const answer of answers) {
      expect(answer).toMatchObject({ status: 200, whole: false });
      expectOnTime(answer, LIMIT);
      expect(answer.body.length).toBeGreaterThan(0);
    }
    for (const source of sources) await notes.seen(`${source} ended`);
  });
});
