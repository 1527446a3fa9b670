import { once } from 'node:events';
import type { Socket } from 'node:net';
import { connect } from 'node:net';
import { eventually } from './eventually.js';

/** A TCP connection that says what it is told to, and may leave at any point. */
export class RawConnection {
  received = '';
  readonly closed: Promise<unknown>;

  private constructor(readonly socket: Socket) {
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => (this.received += chunk));
    // A reset is one of the ways in which a server ends a connection.
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => socket.once('close', resolve));
  }

  static async open(port: number): Promise<RawConnection> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    return new RawConnection(socket);
  }

  send(text: string): void {
    this.socket.write(text);
  }

  /** Sends FIN: nothing more will be said, but the answer is still wanted. */
  halfClose(): void {
    this.socket.end();
  }

  leave(): void {
    this.socket.destroy();
  }

  async receives(text: string): Promise<void> {
    await eventually(() => this.received.includes(text), `${text} in ${this.received}`);
  }
}

/** A request with its head; `headers` are whole lines. */
export function rawRequest(
  method: string,
  path: string,
  headers: string[] = [],
  body = '',
): string {
  return [`${method} ${path} HTTP/1.1`, 'Host: localhost', ...headers, '', body].join('\r\n');
}
