import { once } from 'node:events';
import { connect } from 'node:net';
import { serve } from './harness/child.mjs';

const GET = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n';

const PATIENCE_MS = 10_000;

/** Keep-alive without pipelining. Counts bytes instead of parsing, to cost less than any server. */
class Connection {
  #received = 0;
  #length = 0;
  #onAnswer;

  constructor(request) {
    this.request = Buffer.from(request);
  }

  async open(port) {
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('error', () => {}); // whoever waits hears of it by a listener of its own
    this.socket.setTimeout(PATIENCE_MS, () => this.socket.destroy(new Error('No answer')));
    this.socket.once('end', () => this.socket.destroy(new Error('The server hung up')));
    await once(this.socket, 'connect');
    this.socket.write(this.request);
    const [first] = await once(this.socket, 'data');
    const head = first.indexOf('\r\n\r\n') + 4;
    const bodyLength = Number(/content-length: (\d+)/i.exec(first.toString('latin1'))?.[1]);
    if (first.length !== head + bodyLength) throw new Error(`Unexpected answer:\n${first}`);
    this.#length = first.length;
    this.socket.on('data', (chunk) => this.#read(chunk));
    return { status: Number(first.toString('latin1', 9, 12)), body: first.toString('utf8', head) };
  }

  send(onAnswer) {
    this.#onAnswer = onAnswer;
    this.socket.write(this.request);
  }

  #read(chunk) {
    this.#received += chunk.length;
    if (this.#received < this.#length) return;
    const exact = this.#received === this.#length;
    this.#received = 0;
    this.#onAnswer(exact);
  }
}

let connections = [];

serve({
  /** One answer, to look at. */
  async open({ port, count, request = GET }) {
    closeAll();
    connections = Array.from({ length: count }, () => new Connection(request));
    const [answer] = await Promise.all(connections.map((connection) => connection.open(port)));
    return answer;
  },

  /** Seconds that `requests` took over the open connections. */
  run(requests) {
    return new Promise((resolve, reject) => {
      const started = performance.now();
      let unsent = requests;
      let unanswered = requests;
      const next = (connection) => {
        if (unsent-- <= 0) return;
        connection.send((exact) => {
          if (!exact) reject(new Error('An answer differs in length from the first one'));
          else if (--unanswered === 0) resolve((performance.now() - started) / 1_000);
          else next(connection);
        });
      };
      for (const connection of connections) {
        connection.socket.on('error', reject);
        next(connection);
      }
    });
  },

  close: closeAll,
});

function closeAll() {
  for (const { socket } of connections) socket.destroy();
  connections = [];
}
