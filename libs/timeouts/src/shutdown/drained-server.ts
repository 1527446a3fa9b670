import type { HttpServer } from '@nestjs/common';
import type { Server } from 'node:http';
import { Server as NetServer } from 'node:net';

/** What a drain does with an application's HTTP server. */
export class DrainedServer {
  constructor(readonly server: Server) {}

  /**
   * Accepts no new connections. Those that are open stay, the idle ones too: closing one races with
   * its client's next request, which is what the `close` of an HTTP server does.
   */
  stopAccepting(): void {
    NetServer.prototype.close.call(this.server);
  }

  /** Ends what is still open; everything that could finish has. */
  closeConnections(): void {
    // An HTTP/2 server has none of these, and closes with its sessions.
    this.server.closeAllConnections?.();
  }
}

/**
 * Makes Nest wait for `drain` before it tells any module to close its clients: the adapter's
 * `beforeClose` is the one step that comes before all shutdown hooks.
 */
export function drainBeforeClose(
  adapter: Pick<HttpServer, 'beforeClose'>,
  drain: () => Promise<void>,
): void {
  const { beforeClose } = adapter;
  adapter.beforeClose = async function (this: unknown): Promise<void> {
    await drain();
    await beforeClose?.call(this);
  };
}
