import { StreamableFile } from '@nestjs/common';

/** Releases what an answer that came too late holds: an open file, a generator, a body. */
export function discardResult(result: unknown): void {
  if (typeof result !== 'object' || result === null) return;
  if (result instanceof StreamableFile) destroy(result.getStream());
  else if (result instanceof Response) result.body?.cancel().catch(() => {});
  else if (Symbol.asyncIterator in result) destroy(result);
}

function destroy(stream: object): void {
  const {
    destroy: destroyStream,
    return: endGenerator,
    cancel,
  } = stream as {
    destroy?: () => void;
    return?: (value: unknown) => Promise<unknown>;
    cancel?: () => Promise<unknown>;
  };
  if (destroyStream) destroyStream.call(stream);
  else (endGenerator ?? cancel)?.call(stream, undefined).catch(() => {});
}
