import { Socket, isIP } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import type { ClientConfig, PgClient } from './pg-classes.js';

const CANCEL_CODE = 80_877_102;
const SSL_CODE = 80_877_103;
const SERVER_SPEAKS_TLS = 0x53;

/**
 * `delivered`: the server closed the socket, so that the signal is behind us. `unsent`: nothing went
 * out. `unknown`: it may still come, so that the connection must not be used again.
 */
export type CancelOutcome = 'delivered' | 'unsent' | 'unknown';

/** One CancelRequest, to the very server the client is connected to. */
export class CancelRequest {
  isWritten = false;
  readonly #client: PgClient;
  readonly #done: (outcome: CancelOutcome) => void;
  readonly #socket: Socket;
  #secured: TLSSocket | undefined;
  #isDone = false;

  constructor(client: PgClient, config: ClientConfig, done: (outcome: CancelOutcome) => void) {
    this.#client = client;
    this.#done = done;
    this.#socket = openSocket(client, config);
    this.#socket.once('connect', () => this.#connected());
    this.#follow(this.#socket);
  }

  abort(): void {
    this.#end(this.isWritten ? 'unknown' : 'unsent');
  }

  #follow(socket: Socket): void {
    // The server's own end is the proof; an error is none.
    const onEnd = () => this.#end(this.isWritten ? 'delivered' : 'unsent');
    socket.on('error', () => this.abort());
    socket.once('end', onEnd);
    socket.once('close', (hadError) => (hadError ? this.abort() : onEnd()));
  }

  #connected(): void {
    const { ssl, sslNegotiation } = this.#client;
    if (!ssl) this.#write(this.#socket);
    else if (sslNegotiation === 'direct') this.#secure();
    else {
      this.#socket.write(int32s(8, SSL_CODE));
      this.#socket.once('data', (answer: Buffer) => {
        if (answer[0] === SERVER_SPEAKS_TLS) this.#secure();
        else this.abort();
      });
    }
  }

  #secure(): void {
    if (this.#isDone) return;
    const { ssl, host, sslNegotiation } = this.#client;
    const options: ConnectionOptions = { socket: this.#socket, host };
    // Spread like pg does it; `key` is hidden from enumeration there.
    if (typeof ssl === 'object' && ssl !== null) {
      Object.assign(options, ssl);
      if ('key' in ssl) options.key = ssl.key as ConnectionOptions['key'];
    }
    if (sslNegotiation === 'direct') options.ALPNProtocols = ['postgresql'];
    if (isIP(host) === 0) options.servername = host;
    const secured = connectTls(options);
    this.#secured = secured;
    this.#follow(secured);
    secured.once('secureConnect', () => this.#write(secured));
  }

  /* Never half-closed: a proxy may answer that with its own end, and the proof would be gone. */
  #write(socket: Socket): void {
    if (this.#isDone) return;
    const { processID, secretKey } = this.#client;
    const key = typeof secretKey === 'number' ? int32s(secretKey) : secretKey!;
    socket.write(Buffer.concat([int32s(12 + key.length, CANCEL_CODE, processID!), key]));
    // The server says nothing to it, but an end is only seen by those who read.
    socket.resume();
    this.isWritten = true;
  }

  #end(outcome: CancelOutcome): void {
    if (this.#isDone) return;
    this.#isDone = true;
    this.#secured?.destroy();
    this.#socket.destroy();
    this.#done(outcome);
  }
}

/** Behind one name there may be several servers: it must be the one at the other end of the client. */
function openSocket({ host, port, connection }: PgClient, { stream }: ClientConfig): Socket {
  const socket = typeof stream === 'function' ? (stream() as Socket) : new Socket();
  const { remoteAddress, remotePort } = connection.stream;
  if (host.startsWith('/')) return socket.connect(`${host}/.s.PGSQL.${port}`);
  if (typeof stream === 'function' || !remoteAddress) return socket.connect(port, host);
  return socket.connect(remotePort ?? port, remoteAddress);
}

function int32s(...values: number[]): Buffer {
  const buffer = Buffer.allocUnsafe(values.length * 4);
  // Negative where a pooler makes them up.
  values.forEach((value, at) => buffer.writeInt32BE(value | 0, at * 4));
  return buffer;
}
