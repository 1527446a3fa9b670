const PREFIX = 'data: ';
const END = '\n\n';

/** The data of each event, as it arrives. */
export async function* readEvents(response: Response): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of response.body ?? []) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split(END);
    rest = parts.pop()!;
    for (const part of parts) yield part.slice(PREFIX.length);
  }
}

/** One event per item, then `[DONE]`; a client that leaves ends the source. */
export function serverSentEvents(items: AsyncIterable<unknown>): Response {
  return new Response(ReadableStream.from(lines(items)), {
    headers: { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' },
  });
}

async function* lines(items: AsyncIterable<unknown>): AsyncGenerator<Uint8Array> {
  for await (const item of items) yield Buffer.from(`${PREFIX}${JSON.stringify(item)}${END}`);
  yield Buffer.from(`${PREFIX}[DONE]${END}`);
}
