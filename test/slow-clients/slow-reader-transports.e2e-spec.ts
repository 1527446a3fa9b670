import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Get, StreamableFile } from '@nestjs/common';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { once } from 'node:events';
import type { ClientHttp2Session, ClientHttp2Stream } from 'node:http2';
import { connect as connectHttp2, constants } from 'node:http2';
import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import type { TimeoutsModuleOptions } from 'nestjs-timeouts';
import { closeApps, startApp, ADAPTER_STACKS } from '../support/app.js';
import { eventually } from '../support/eventually.js';
import { Notes } from '../support/notes.js';
import { rawRequest } from '../support/raw-connection.js';
import { RecordingLogger } from '../support/recording-logger.js';
import { SELF_SIGNED } from '../support/self-signed.js';
import { SlowReader } from '../support/slow-reader.js';
import { watchProcess } from '../support/watch-process.js';

const GRACE = 400;
const RATE = 200_000;
const LARGE = Buffer.alloc(16_000_000, 'x');
const SMALLER = LARGE.subarray(0, 4_000_000);
const LIMITS = { response: { minRate: RATE, grace: GRACE } } as const;
const CUT = { result: 'deadline', layer: 'response', timeoutMs: GRACE, status: 200 };

let notes = new Notes();

@Controller()
class LargeController {
  @Get('whole')
  whole() {
    return new StreamableFile(LARGE);
  }

  /** A session of HTTP/2 buffers no more than 10 MB. */
  @Get('smaller')
  smaller() {
    return new StreamableFile(SMALLER);
  }

  @Get('pieces')
  async *pieces() {
    try {
      for (;;) {
        await delay(1);
        notes.add('piece');
        yield LARGE.subarray(0, 100_000);
      }
    } finally {
      notes.add('source closed');
    }
  }

  @Get('quiet')
  async *quiet() {
    yield 'first ';
    await delay(4 * GRACE);
    yield 'last';
  }

  @Get('quick')
  quick() {
    return 'quick';
  }
}

let logger = new RecordingLogger();
const incidents = watchProcess();

beforeEach(() => {
  notes = new Notes();
  logger = new RecordingLogger();
  incidents.length = 0;
});

async function stop(): Promise<void> {
  await closeApps();
  expect(logger.at('error', 'fatal')).toEqual([]);
  expect(incidents).toEqual([]);
}

describe.each(ADAPTER_STACKS)('a slow reader over TLS, on $adapter with $enforcement', (stack) => {
  let opened: SlowReader | undefined;

  const open = async (path: string) => {
    const httpsOptions = { ...SELF_SIGNED };
    const isExpress = stack.adapter === 'express';
    const started = await startApp(stack, {
      controllers: [LargeController],
      adapter: isExpress
        ? new ExpressAdapter()
        : new FastifyAdapter({ https: SELF_SIGNED } as never),
      nest: { logger, ...(isExpress ? { httpsOptions } : {}) },
      options: LIMITS,
    });
    const socket = connectTls({ port: started.port, host: '127.0.0.1', ca: SELF_SIGNED.cert });
    await once(socket, 'secureConnect');
    socket.write(rawRequest('GET', path));
    opened = new SlowReader(socket);
    return { ...started, reader: opened };
  };

  afterEach(async () => {
    opened?.leave();
    await stop();
  });

  it.each(['whole', 'pieces'])('B11 resets it when it stops reading: %s', async (path) => {
    const { outcomes, reader } = await open(`/${path}`);
    const outcome = await eventually(() => outcomes[0]);
    expect(outcome).toMatchObject(CUT);
    const { elapsedMs, stalledMs } = reader.waited;
    expect(elapsedMs).toBeGreaterThanOrEqual(GRACE);
    expect(elapsedMs - stalledMs).toBeLessThanOrEqual(2.2 * GRACE + 100);
    expect(await reader.endOfConnection()).toBe('ECONNRESET');
  });

  it('B11 gives every byte of a single write to one that reads steadily', async () => {
    const { outcomes, reader } = await open('/whole');
    reader.sip(8_000_000);
    await eventually(() => reader.bytes > LARGE.length);
    expect(outcomes).toMatchObject([{ result: 'completed' }]);
  });
});

const http2Stacks = ADAPTER_STACKS.filter(({ adapter }) => adapter === 'fastify');

describe.each(http2Stacks)('a slow reader over HTTP/2 with $enforcement', (stack) => {
  let session: ClientHttp2Session;
  let streams: ClientHttp2Stream[] = [];

  const start = async (options: TimeoutsModuleOptions = LIMITS) => {
    const started = await startApp(stack, {
      controllers: [LargeController],
      adapter: new FastifyAdapter({ http2: true } as never),
      nest: { logger },
      options,
    });
    session = connectHttp2(started.url);
    session.on('error', () => {});
    return started;
  };
  const ask = (path: string) => {
    const stream = session.request({ ':path': path });
    streams.push(stream);
    return new SlowReader(stream);
  };

  afterEach(async () => {
    for (const stream of streams) stream.destroy();
    streams = [];
    session.destroy();
    await stop();
  });

  it.each(['smaller', 'pieces'])('B11 resets the stream alone: %s', async (path) => {
    const { outcomes } = await start();
    const reader = ask(`/${path}`);
    const outcome = await eventually(() => outcomes[0]);
    expect(outcome).toMatchObject({ name: `GET /${path}`, ...CUT });
    expect(outcome.durationMs).toBeGreaterThanOrEqual(GRACE);
    if (path === 'pieces') await notes.seen('source closed');
    await reader.gulp().over;
    expect(reader.error).toBe('ERR_HTTP2_STREAM_ERROR');
    expect(await text(session.request({ ':path': '/quick' }))).toBe('quick');
    expect(outcomes.map(({ layer }) => layer)).toEqual(['response', 'handler']);
  });

  it('B11 resets a stream that stands still beside one that is read', async () => {
    const { outcomes } = await start();
    const read = ask('/pieces').sip(20_000_000);
    const stuck = ask('/pieces');
    await eventually(() => outcomes.length === 1);
    expect(outcomes[0]).toMatchObject(CUT);
    await stuck.gulp().over;
    expect(stuck.error).toBe('ERR_HTTP2_STREAM_ERROR');
    const { bytes } = read;
    await eventually(() => read.bytes > bytes + 5_000_000);
    streams[0]!.close(constants.NGHTTP2_CANCEL);
    await eventually(() => outcomes.length === 2);
    expect(outcomes[1]).toMatchObject({ result: 'disconnect' });
  });

  it('B11 gives every byte to streams that are read side by side', async () => {
    const { outcomes } = await start();
    const readers = [ask('/smaller').sip(1_000_000), ask('/smaller').sip(2_000_000)];
    await eventually(() => readers.every(({ bytes }) => bytes === SMALLER.length));
    await eventually(() => outcomes.length === 2);
    expect(outcomes.map(({ result }) => result)).toEqual(['completed', 'completed']);
  });

  it('B11 leaves a stream alone that has nothing to send', async () => {
    const { outcomes } = await start();
    expect(await text(session.request({ ':path': '/quiet' }))).toBe('first last');
    await eventually(() => outcomes.length === 1);
    expect(outcomes).toMatchObject([{ result: 'completed' }]);
  });

  it('B11 resets the connection once nobody reads it at all', async () => {
    const { url, outcomes } = await start();
    const raw = connect(Number(new URL(url).port), '127.0.0.1');
    raw.on('error', () => {});
    const duplex = new Duplex({
      read() {},
      write: (chunk, _encoding, done) => void raw.write(chunk, done),
    });
    raw.on('data', (chunk) => duplex.push(chunk));
    // Windows that are never full: it is the connection that is.
    const settings = { initialWindowSize: 2 ** 31 - 1 };
    const frozen = connectHttp2(url, { settings, createConnection: () => duplex });
    frozen.on('error', () => {});
    await once(frozen, 'remoteSettings');
    frozen.setLocalWindowSize(2 ** 31 - 1);
    for (let count = 0; count < 2; count++)
      frozen.request({ ':path': '/pieces' }).on('error', () => {});
    await notes.seen('piece', 2);
    raw.pause();
    await eventually(() => outcomes.length === 2);
    expect(outcomes).toMatchObject([CUT, CUT]);
    await notes.seen('source closed', 2);
    raw.write('\0');
    const [error] = (await once(raw, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNRESET');
    frozen.destroy();
  });
});
