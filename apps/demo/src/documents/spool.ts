import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import type { IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

const CHUNK_BYTES = 2 ** 20;

/** A whole upload, in a file. */
export interface Upload {
  readonly bytes: number;
  readonly sha256: string;
  chunks(): AsyncIterable<Buffer>;
  discard(): Promise<void>;
}

/**
 * Takes an upload at its client's pace, so that what comes after goes at the database's: a
 * transaction that waited for clients would hold a connection of the pool for each of them.
 */
export async function spool(body: IncomingMessage, signal: AbortSignal): Promise<Upload> {
  const folder = await mkdtemp(join(tmpdir(), 'answers-upload-'));
  const discard = () => rm(folder, { recursive: true, force: true });
  const file = join(folder, 'body');
  const hash = createHash('sha256');
  let bytes = 0;
  const measure = async function* (chunks: AsyncIterable<Buffer>) {
    for await (const chunk of chunks) {
      hash.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  };
  try {
    await pipeline(body, measure, createWriteStream(file), { signal });
  } catch (error) {
    await discard();
    throw error;
  }
  const chunks = () => createReadStream(file, { highWaterMark: CHUNK_BYTES });
  return { bytes, sha256: hash.digest('hex'), chunks, discard };
}
