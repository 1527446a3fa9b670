import type { ServerResponse } from 'node:http';

/** What stands for the connection of one HTTP/2 exchange: the session belongs to the others, too. */
interface Http2Stream {
  close(): void;
}

function http2StreamOf(res: ServerResponse): Http2Stream | undefined {
  return (res as { stream?: Http2Stream }).stream;
}

/** Ends an answer that is not whole, so that its client notices. */
export function breakOff(res: ServerResponse): void {
  // Over HTTP/2 an answer that ends without an error is a whole one.
  res.destroy(http2StreamOf(res) && new Error('The answer is not whole'));
}

/** Ends the connection of an answer that was handed over. */
export function closeConnection(res: ServerResponse): void {
  const stream = http2StreamOf(res);
  // A turn later, or the reset overtakes the end of the answer.
  if (stream) setImmediate(() => stream.close());
  else res.socket?.destroySoon();
}
