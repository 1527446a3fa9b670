import type { Socket } from 'node:net';

/** What is used of a libuv stream; that of TLS stands on the one of its transport. */
interface Handle {
  readonly bytesWritten?: number;
  readonly writeQueueSize?: number;
  readonly _parent?: Handle;
}

/** A connection, with the parts of Node's own that tell more than the public ones. */
export interface Connection extends Socket {
  readonly _handle?: Handle | null;
  /** The transport of a TLS connection. */
  readonly _parent?: Connection | null;
}

/** How many bytes a connection takes, and how many answers share them. */
export class ResponseRateIntake {
  /** Taken between the last two looks. */
  bytes = 0;
  sharers = 0;
  #taken: number;

  private constructor(
    readonly connection: Connection,
    readonly handle: Handle,
  ) {
    this.#taken = takenBy(handle)!;
  }

  /** @returns undefined where Node does not tell: nobody is cut for what cannot be seen. */
  static of(connection: Connection): ResponseRateIntake | undefined {
    const { _handle: outer } = connection;
    const { _parent: below } = outer ?? {};
    const handle = below ?? outer;
    if (!handle || takenBy(handle) === undefined) return undefined;
    return new ResponseRateIntake(connection, handle);
  }

  look(): this {
    const before = this.#taken;
    this.#taken = takenBy(this.handle) ?? before;
    this.bytes = this.#taken - before;
    this.sharers = 0;
    return this;
  }

  /** Whether bytes were taken since the last look. */
  get hasMoved(): boolean {
    return takenBy(this.handle) !== this.#taken;
  }

  /** Whether the connection itself is full, and not only an HTTP/2 stream of it. */
  get isFull(): boolean {
    return (this.handle.writeQueueSize ?? 0) > 0;
  }

  /** An orderly close would leave megabytes with the kernel for as long as the client likes. */
  reset(): void {
    const { _parent: below } = this.connection;
    const transport = below ?? this.connection;
    try {
      transport.resetAndDestroy();
    } catch {
      // What is not TCP has no reset.
      transport.destroy();
    }
  }
}

/**
 * Bytes that the operating system has taken. The public counters move by whole writes, one of which
 * may take minutes; Node's own socket timeout goes by these, too.
 */
function takenBy({ bytesWritten, writeQueueSize }: Handle): number | undefined {
  if (typeof bytesWritten !== 'number' || typeof writeQueueSize !== 'number') return undefined;
  return bytesWritten - writeQueueSize;
}
