import type { Server } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';
import { systemClock } from '../core/system-clock.js';
import type { HeaderLimit } from './header-limit.js';
import { RECHECK_MS } from './header-limit-overdue.js';

/**
 * Closes HTTP/2 connections on which no request was whole within the limit. Of later requests Node
 * does not tell before their headers are whole.
 */
export function limitSilentSessions(server: Server, limit: HeaderLimit): void {
  server.on('session', (session: ServerHttp2Session) => {
    const endUnlessSuspended = () => {
      if (session.destroyed || hasStream) return;
      if (limit.isSuspended) alarm = systemClock.at(systemClock.now() + RECHECK_MS, { ring });
      else session.destroy();
    };
    // After a stall of the event loop the request may lie unread: the connections come first.
    const ring = () => void setImmediate(endUnlessSuspended);
    let hasStream = false;
    let alarm = systemClock.at(systemClock.now() + limit.optionMs, { ring });
    session.once('stream', () => {
      hasStream = true;
      alarm.cancel();
    });
    session.once('close', () => alarm.cancel());
  });
}
