import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { systemClock } from '../core/system-clock.js';
import type { Http2Stream } from './http2-stream.js';
import { http2StreamOf } from './http2-stream.js';

/** How long a client that goes on sending has to read its answer before its connection is gone. */
const LINGER_MS = 1_000;

/** The same for a stream of an HTTP/2 connection: clients drop what they read together with its reset. */
const STREAM_LINGER_MS = 100;

const abandoned = new WeakSet<IncomingMessage>();

/**
 * Nothing more is read of a request whose body is not complete: its connection carries the answer
 * that is still to be written, whoever writes it, and ends with it. Whatever the client has sent after
 * that, another request included, nobody hears of.
 *
 * @param error what a handler fails with that is reading the body itself.
 */
export function abandonRequest(req: IncomingMessage, res: ServerResponse, error: Error): void {
  if (abandoned.has(req)) return;
  abandoned.add(req);
  const stream = http2StreamOf(req);
  if (stream) endStreamWithAnswer(stream, req, error);
  else endConnectionWithAnswer(req, res, error);
}

/** Fails whoever reads the body. */
export function failBody(req: IncomingMessage, error: Error): void {
  if (req.destroyed || req.readableEnded) return;
  // Node's own destroys the connection along, and the answer with it. The rest is as Node does it.
  Object.assign(req, {
    _destroy(reason: Error | null, done: (error: Error | null) => void) {
      if (!http2StreamOf(req)) {
        req.aborted = true;
        req.emit('aborted');
      }
      // Nobody has to listen for the errors of a request.
      process.nextTick(() => done(req.listenerCount('error') > 0 ? reason : null));
    },
  });
  req.destroy(error);
}

function endStreamWithAnswer(stream: Http2Stream, req: IncomingMessage, error: Error): void {
  stream.once('finish', () => {
    failBody(req, error);
    stream.removeAllListeners('data');
    stream.on('data', discard);
    stream.resume();
    linger(stream, STREAM_LINGER_MS, () => stream.close());
  });
}

function endConnectionWithAnswer(req: IncomingMessage, res: ServerResponse, error: Error): void {
  // Not of the request: `stream.pipeline` takes the connection from one that it destroys.
  const { socket } = res;
  if (!socket) return;
  if (!res.headersSent) res.setHeader('connection', 'close');
  // What Fastify's `inject()` stands in for has none.
  if (!('resume' in socket)) return;
  takeFromParser(socket);
  // Called by Node once the last answer of a connection is sent.
  socket.destroySoon = () => {
    failBody(req, error);
    endSlowly(socket);
  };
}

/** By listening for the data ourselves, in the place of Node: its parser lets go of the connection then. */
function takeFromParser(socket: Socket): void {
  socket.removeAllListeners('data');
  socket.on('data', discard);
  socket.resume();
}

function discard(): void {}

/**
 * A connection that is closed while bytes are waiting to be read is reset, and the reset may overtake
 * the answer. So the sending side ends first, and what comes meanwhile is read for a while.
 */
function endSlowly(socket: Socket): void {
  linger(socket, LINGER_MS, () => socket.destroy());
  // Node's own takes this for the end of a request that is not complete.
  socket.removeAllListeners('end');
  socket.once('end', () => socket.destroy());
  if (socket.readableEnded) socket.destroy();
  else socket.end();
}

/** In real time, whatever the application's clock says: it is not a limit of the application's. */
function linger(stream: Duplex, ms: number, ring: () => void): void {
  const alarm = systemClock.at(systemClock.now() + ms, { ring });
  stream.once('close', () => alarm.cancel());
}
