import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { CanActivate } from '@nestjs/common';
import { Controller, Get, Injectable, Param, Res, StreamableFile, UseGuards } from '@nestjs/common';
import type { Response as ExpressResponse } from 'express';
import type { FastifyReply } from 'fastify';
import { Agent } from 'node:http';
import type { ServerResponse } from 'node:http';
import { resolve } from 'node:path';
import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { Deadline } from 'nestjs-timeouts';
import { of } from 'rxjs';
import type { TestApp } from '../support/app.js';
import { closeApps, startApp, STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { call, expectProblem } from '../support/http-client.js';
import { Notes } from '../support/notes.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { endless } from '../support/work.js';

const LIMIT = 150;
const OVERRUN = 100;

type Reply = ServerResponse & { raw?: ServerResponse };

/** What late code does to Node's response, on either framework. */
const RAW_WRITES: Record<string, (res: ServerResponse) => unknown> = {
  end: (res) => res.end('late', () => notes.add('end called back')),
  write: (res) => (res.write('late'), res.end()),
  head: (res) => res.writeHead(200, { etag: '"late"' }).end('late'),
  'set-header': (res) => res.setHeader('etag', '"late"').appendHeader('x-late', '1').end(),
  'set-headers': (res) => (res.setHeaders(new Map([['x-late', '1']])), res.end()),
  'flush-headers': (res) => (res.flushHeaders(), res.addTrailers({ late: '1' }), res.end()),
  'early-hints': (res) => (res.writeEarlyHints({ link: '</a>' }), res.writeContinue(), res.end()),
  status: (res) => ((res.statusCode = 200), (res.statusMessage = 'Late'), res.end()),
  listeners: (res) =>
    res
      .on('finish', () => {})
      .on('close', () => {})
      .end(),
  pipe: (res) => Readable.from(['la', 'te']).pipe(res),
  'endless-pipe': (res) => endless(() => notes.add('endless pipe released')).pipe(res),
  destroy: (res) => (res.end('late'), res.destroy()),
};

const EXPRESS_WRITES: Record<string, (res: ExpressResponse) => unknown> = {
  send: (res) => res.status(200).set('x-late', '1').send('late'),
  json: (res) => res.json({ late: true }),
  'send-status': (res) => res.sendStatus(200),
  redirect: (res) => res.redirect('/elsewhere'),
  cookie: (res) => res.cookie('late', '1').clearCookie('early').type('json').vary('x').end(),
};

/** Not always noticed as late: whether Express tells of these failures is a race. */
const EXPRESS_FILES: Record<string, (res: ExpressResponse) => unknown> = {
  'send-file': (res) => res.sendFile(resolve('package.json')),
  download: (res) => res.download('/no/such/file'),
  next: (res) => res.req.next!(new Error('late next')),
};

const FASTIFY_WRITES: Record<string, (reply: FastifyReply) => unknown> = {
  send: (reply) => reply.code(200).header('x-late', '1').send('late'),
  json: (reply) => reply.send({ late: true }),
  stream: (reply) => reply.send(Readable.from(['late'])),
  redirect: (reply) => reply.redirect('/elsewhere'),
  error: (reply) => reply.send(new Error('late')),
};

let notes = new Notes();

@Injectable()
class SlowGuard implements CanActivate {
  async canActivate(): Promise<boolean> {
    await delay(LIMIT + OVERRUN);
    throw new Error('late guard');
  }
}

const LATE_RESULTS: Record<string, () => unknown> = {
  value: () => ({ late: true }),
  rejection: () => Promise.reject(new Error('late rejection')),
  throw: () => {
    throw new Error('late throw');
  },
  observable: () => of('late'),
  file: () => new StreamableFile(endless(() => notes.add('file released'))),
  stream: () => endless(() => notes.add('stream released')),
  web: () => new ReadableStream({ cancel: () => notes.add('web released') }),
  response: () =>
    new Response(new ReadableStream({ cancel: () => notes.add('response released') })),
};

@Controller()
@Deadline(LIMIT)
class LateController {
  @Get('result/:name')
  async result(@Param('name') name: string) {
    await delay(LIMIT + OVERRUN);
    return LATE_RESULTS[name]!();
  }

  /** The work is in a timer that no promise knows of. */
  @Get('timer/:kind/:name')
  timer(@Param('kind') kind: string, @Param('name') name: string, @Res() reply: Reply) {
    setTimeout(() => this.write(kind, name, reply), LIMIT + OVERRUN);
  }

  @Get('async/:kind/:name')
  async async(@Param('kind') kind: string, @Param('name') name: string, @Res() reply: Reply) {
    await delay(LIMIT + OVERRUN);
    this.write(kind, name, reply);
  }

  @UseGuards(SlowGuard)
  @Get('guard')
  guard() {}

  private write(kind: string, name: string, reply: Reply): void {
    if (kind === 'raw') RAW_WRITES[name]!(reply.raw ?? reply);
    if (kind === 'express')
      ({ ...EXPRESS_WRITES, ...EXPRESS_FILES })[name]!(reply as unknown as ExpressResponse);
    if (kind === 'fastify') FASTIFY_WRITES[name]!(reply as unknown as FastifyReply);
    notes.add(`${kind}/${name}`);
  }
}

// A fault of the process, such as an uncaught exception, fails the Jest test it happens in.
describe.each(STACKS)('late work on $adapter, $enforcement', (stack) => {
  const logger = new RecordingLogger();
  let test: TestApp;

  beforeAll(async () => {
    test = await startApp(stack, { controllers: [LateController], nest: { logger } });
  });

  beforeEach(() => {
    notes = new Notes();
    test.late.length = 0;
    test.outcomes.length = 0;
  });

  afterAll(closeApps);

  /** Answered on time each, then counted as late each. */
  async function expectLate(paths: string[]): Promise<void> {
    // Their connections stay: a late write could still reach one.
    const agent = new Agent({ keepAlive: true });
    const answers = await Promise.all(paths.map((path) => call(`${test.url}/${path}`, { agent })));

    for (const answer of answers) expectProblem(answer, LIMIT);
    await eventually(() => test.late.length >= paths.length, `${paths.length} late pieces of work`);
    for (const { overrunMs, reason } of test.late) {
      expect(reason).toBe('deadline');
      expect(overrunMs).toBeGreaterThan(OVERRUN / 3);
    }
    await delay(30);
    agent.destroy();
    expect(test.late).toHaveLength(paths.length);
    expect(test.outcomes.map(({ result, status }) => [result, status])).toEqual(
      paths.map(() => ['deadline', 504]),
    );
    expect(logger.at('error', 'fatal')).toEqual([]);
    expect(test.monitor.snapshot().inFlight).toEqual([]);
  }

  it('H07 answers 504 on time when the handler ignores its signal', async () => {
    await expectLate(['result/value']);

    expect(test.outcomes[0]).toMatchObject({ late: true, name: 'GET /result/:name' });
    expect(test.monitor.snapshot().late).toMatchObject({ count: expect.any(Number), running: 0 });
  });

  it('H08 late results of any kind go nowhere and are released', async () => {
    await expectLate(Object.keys(LATE_RESULTS).map((name) => `result/${name}`));

    const errors = test.late.map(({ error }) => (error as Error | undefined)?.message);
    expect(errors.filter(Boolean).toSorted()).toEqual(['late rejection', 'late throw']);
    for (const kind of ['file', 'stream', 'web', 'response']) await notes.seen(`${kind} released`);
  });

  it.each(['timer', 'async'])('H08 late writes from %s work are harmless', async (where) => {
    const own = stack.adapter === 'express' ? EXPRESS_WRITES : FASTIFY_WRITES;
    const writes = [
      ...Object.keys(RAW_WRITES).map((name) => `raw/${name}`),
      ...Object.keys(own).map((name) => `${stack.adapter}/${name}`),
    ];

    await expectLate(writes.map((write) => `${where}/${write}`));

    for (const write of writes) await notes.seen(write);
    await notes.seen('end called back');
    await notes.seen('endless pipe released');
  });

  it('H08 late files and errors of Express are neither sent nor logged', async () => {
    if (stack.adapter !== 'express') return;
    const names = Object.keys(EXPRESS_FILES);

    const paths = names.map((name) => `${test.url}/timer/express/${name}`);
    for (const answer of await Promise.all(paths.map((path) => call(path)))) {
      expectProblem(answer, LIMIT);
    }
    for (const name of names) await notes.seen(`express/${name}`);
    await delay(30);
    expect(logger.at('error', 'fatal')).toEqual([]);
  });

  it('H08 a guard that fails late is neither logged nor answered', async () => {
    await expectLate(['guard']);

    expect(test.late[0]?.error).toEqual(new Error('late guard'));
  });

  it('H08 a client that reads on sees nothing of a late write', async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const first = await call(`${test.url}/timer/raw/end`, { agent });
    await notes.seen('raw/end');
    const second = await call(`${test.url}/timer/raw/write`, { agent });
    await notes.seen('raw/write');
    agent.destroy();

    expectProblem(first, LIMIT);
    expectProblem(second, LIMIT);
  });
});
