import { once } from 'node:events';
import { Agent } from 'node:http';
import type { ClientHttp2Session, IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http2';
import { connect } from 'node:http2';
import { text } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, it } from '@jest/globals';
import type { CanActivate, INestApplication } from '@nestjs/common';
import { Body, Controller, Get, Injectable, Post } from '@nestjs/common';
import { APP_GUARD } from '@nestjs/core';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import type { TimeoutsOptions } from 'nestjs-timeouts';
import { SkipTimeout } from 'nestjs-timeouts';
import { TimeoutsHealthModule } from 'nestjs-timeouts/terminus';
import type { Stack, TestApp } from '../support/app.js';
import { closeApps, STACKS, startApp } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { call } from '../support/http-client.js';
import { RawConnection, rawRequest } from '../support/raw-connection.js';
import { block, untilCancelled } from '../support/work.js';

const heard: string[] = [];
let busy = 0;
let busiest = 0;

@Injectable()
class NotingGuard implements CanActivate {
  canActivate(): boolean {
    heard.push('guard');
    return true;
  }
}

@Controller()
@SkipTimeout()
class WorkController {
  @Get('hold')
  hold() {
    return untilCancelled();
  }

  @Get('quick')
  quick() {
    heard.push('handler');
    return {};
  }

  @Get('work')
  async work() {
    busiest = Math.max(busiest, ++busy);
    await wait(30);
    busy--;
    return {};
  }

  @Post('upload')
  upload(@Body() body: unknown) {
    heard.push('handler');
    return body;
  }
}

function noteMiddleware(app: INestApplication): void {
  app.use((_req: unknown, _res: unknown, next: () => void) => {
    heard.push('middleware');
    next();
  });
}

function start(stack: Stack, shedding?: TimeoutsOptions['shedding']): Promise<TestApp> {
  return startApp(stack, {
    controllers: [WorkController],
    providers: [{ provide: APP_GUARD, useClass: NotingGuard }],
    imports: [TimeoutsHealthModule.forRoot()],
    options: { shedding, handler: 'none' },
    prepare: noteMiddleware,
  });
}

/** Clients whose requests stay in flight until they leave. */
async function hold({ port, drain }: TestApp, clients: number): Promise<RawConnection[]> {
  const held = await Promise.all(Array.from({ length: clients }, () => RawConnection.open(port)));
  for (const client of held) client.send(rawRequest('GET', '/hold'));
  await eventually(() => drain.inFlight === clients, `${clients} in flight`);
  return held;
}

const count = (statuses: number[], status: number) => statuses.filter((s) => s === status).length;

afterEach(closeApps);

describe.each(STACKS)('shedding on $adapter, $enforcement', (stack) => {
  it('turns away what exceeds the number in flight, before any work', async () => {
    const app = await start(stack, { inFlight: 3, maxShare: 1 });
    const held = await hold(app, 3);
    heard.length = 0;

    const agent = new Agent({ keepAlive: true });
    const { status, headers, body } = await call(`${app.url}/quick?a=b`, { agent });

    expect([
      status,
      headers['content-type'],
      headers['connection'],
      headers['cache-control'],
    ]).toEqual([503, 'application/problem+json', 'close', 'no-store']);
    expect(headers['retry-after']).toMatch(/^[123]$/);
    expect(JSON.parse(body)).toEqual({
      type: 'about:blank',
      title: 'Service Unavailable',
      status: 503,
      detail: 'There is more to do than can be done in time',
      instance: '/quick',
      code: 'overloaded',
      layer: 'handler',
      elapsedMs: 0,
      requestId: headers['x-request-id'],
    });
    expect(heard).toEqual([]);
    held.pop()!.leave();
    await eventually(() => app.drain.inFlight === 2);
    expect((await call(`${app.url}/quick`)).status).toBe(200);
    expect(heard).toEqual(['middleware', 'guard', 'handler']);
    for (const client of held) client.leave();
    agent.destroy();
  });

  it('tells of what was turned away, and shows how much that was', async () => {
    const app = await start(stack, { inFlight: 1, maxShare: 1 });
    const [client] = await hold(app, 1);

    await call(`${app.url}/quick`);
    await call(`${app.url}/quick`, { method: 'HEAD' });

    expect(app.outcomes).toHaveLength(2);
    expect(app.outcomes[0]).toMatchObject({
      kind: 'request',
      name: '(no route)',
      result: 'failed',
      layer: 'handler',
      status: 503,
      error: { code: 'overloaded' },
    });
    const { shed, inFlight, counters } = app.monitor.snapshot();
    expect([shed, inFlight.length, counters]).toEqual([2, 1, []]);
    client!.leave();
  });

  it('K03 never sheds probes', async () => {
    const app = await start(stack, { inFlight: 1, maxShare: 1 });
    const [client] = await hold(app, 1);

    const paths = ['/_ops/live', '/_ops/ready', '/_ops/startup', '/quick'];
    const answers = await Promise.all(paths.map((path) => call(`${app.url}${path}`)));

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 503]);
    client!.leave();
  });

  it('turns an upload away without reading it, and a client that goes on sending sees that', async () => {
    const app = await start(stack, { inFlight: 1, maxShare: 1 });
    const [holding] = await hold(app, 1);
    heard.length = 0;
    const client = await RawConnection.open(app.port);
    const sent = (part: string) => new Promise((done) => client.socket.write(part, done));

    client.socket.pause();
    client.send(rawRequest('POST', '/upload', ['Content-Length: 4000000']));
    await eventually(() => app.monitor.snapshot().shed === 1, 'the refusal');
    for (let times = 0; times < 4; times++) await sent('x'.repeat(1_000_000));
    client.socket.resume();
    await client.receives('"code":"overloaded"');
    await client.closed;

    expect(client.received).toMatch(/^HTTP\/1.1 503 .*?connection: close\r\n/is);
    expect(heard).toEqual([]);
    holding!.leave();
  });

  it('turns away at most its share, however wrong the threshold', async () => {
    const app = await start(stack, { inFlight: 1 });
    const [client] = await hold(app, 1);
    const statuses: number[] = [];

    for (let times = 0; times < 100; times++) {
      statuses.push((await call(`${app.url}/quick`)).status);
    }

    const shed = count(statuses, 503);
    expect(shed).toBeGreaterThanOrEqual(49);
    expect(shed).toBeLessThanOrEqual(55);
    expect(count(statuses, 200)).toBe(100 - shed);
    client!.leave();
  });

  it('turns requests away while the event loop is held up, and not after', async () => {
    const { url } = await start(stack, { loopDelay: '200ms', maxShare: 1 });
    const before = (await call(`${url}/quick`)).status;

    block(700);
    const during = (await call(`${url}/quick`)).status;
    while ((await call(`${url}/quick`)).status !== 200);

    expect([before, during]).toEqual([200, 503]);
  });

  it('keeps the number in flight under load', async () => {
    const app = await start(stack, { inFlight: 20, maxShare: 1 });
    busiest = 0;

    const answers = await Promise.all(Array.from({ length: 300 }, () => call(`${app.url}/work`)));

    const statuses = answers.map(({ status }) => status);
    expect(count(statuses, 200) + count(statuses, 503)).toBe(300);
    expect(count(statuses, 503)).toBeGreaterThan(0);
    expect(count(statuses, 200)).toBeGreaterThanOrEqual(20);
    expect(busiest).toBeLessThanOrEqual(20);
    await eventually(() => app.drain.inFlight === 0);
    expect((await call(`${app.url}/work`)).status).toBe(200);
  });

  it('is off by default', async () => {
    const app = await start(stack);

    const held = await hold(app, 100);

    expect((await call(`${app.url}/quick`)).status).toBe(200);
    expect(app.monitor.snapshot()).not.toHaveProperty('shed');
    for (const client of held) client.leave();
  });
});

describe('shedding and probes over HTTP/2', () => {
  const sessions: ClientHttp2Session[] = [];
  const session = (url: string) => {
    const opened = connect(url);
    sessions.push(opened);
    return opened;
  };
  afterEach(() => sessions.splice(0).forEach((opened) => opened.destroy()));

  it('K03 answers probes, and sends what is too much to another connection', async () => {
    const app = await startApp(STACKS[2], {
      adapter: new FastifyAdapter({ http2: true }),
      controllers: [WorkController],
      imports: [TimeoutsHealthModule.forRoot()],
      options: { shedding: { inFlight: 1, maxShare: 1 }, handler: 'none' },
    });
    const [holding, client] = [session(app.url), session(app.url)];
    const ask = async (headers: OutgoingHttpHeaders, body?: string) => {
      const stream = client.request(headers);
      stream.end(body);
      const [[answer], content] = await Promise.all([once(stream, 'response'), text(stream)]);
      return { status: (answer as IncomingHttpHeaders)[':status'], content };
    };
    holding.request({ ':path': '/hold' }).on('error', () => {});
    await eventually(() => app.drain.inFlight === 1);

    const probe = await ask({ ':path': '/_ops/ready' });
    const closed = once(client, 'close');
    const shed = await ask({ ':path': '/upload', ':method': 'POST' }, 'x'.repeat(100_000));

    expect([probe.status, shed.status]).toEqual([200, 503]);
    expect(JSON.parse(shed.content)).toMatchObject({ code: 'overloaded' });
    await closed;
  });
});
