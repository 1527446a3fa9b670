import { RawConnection, rawRequest } from './raw-connection.js';

const TICK_MS = 5;
const TIMER_PRECISION_MS = 2;

/** What the client of a {@link SlowUpload} saw. */
export interface UploadAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
  readonly elapsedMs: number;
  /** How long this process, which is client and server, did not get to run meanwhile. */
  readonly stalledMs: number;
}

/** One request over a connection of its own, whose body is sent as slowly as a test wants. */
export class SlowUpload {
  readonly #startedAt = performance.now();
  #tickedAt = this.#startedAt;
  #stalledMs = 0;
  readonly #ticker = setInterval(() => this.#tick(), TICK_MS);
  #pieces: NodeJS.Timeout | undefined;

  private constructor(readonly connection: RawConnection) {
    void connection.closed.then(() => this.stop());
  }

  /** `headers` are whole lines; `part` is what is sent of the body at once. */
  static async open(
    port: number,
    path: string,
    headers: string[],
    part: string,
  ): Promise<SlowUpload> {
    const upload = new SlowUpload(await RawConnection.open(port));
    upload.connection.send(rawRequest('POST', path, headers, part));
    return upload;
  }

  /** Sends `piece` again and again. */
  drip(piece: string, everyMs: number): this {
    this.#pieces = setInterval(() => this.connection.send(piece), everyMs);
    return this;
  }

  stop(): void {
    clearInterval(this.#pieces);
    clearInterval(this.#ticker);
  }

  /** The whole of what came until the connection was gone. */
  async answer(): Promise<UploadAnswer> {
    await this.connection.receives('\r\n\r\n');
    this.#tick();
    const elapsedMs = performance.now() - this.#startedAt;
    const stalledMs = this.#stalledMs;
    await this.connection.closed;
    const [head = '', ...rest] = this.connection.received.split('\r\n\r\n');
    const status = Number(head.slice(9, 12));
    return { status, head, body: rest.join('\r\n\r\n'), elapsedMs, stalledMs };
  }

  #tick(): void {
    const now = performance.now();
    this.#stalledMs += Math.max(0, now - this.#tickedAt - TICK_MS - TIMER_PRECISION_MS);
    this.#tickedAt = now;
  }
}
