import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { Controller, Get, HttpCode, Post, Query, StreamableFile } from '@nestjs/common';
import { Deadline } from 'nestjs-timeouts';
import { NumberPipe } from '../input/number.pipe.js';
import { RawBody } from '../input/raw-body.js';

const MEGABYTE = 2 ** 20;
const megabytes = new NumberPipe({ min: 1, max: 10_240, whole: true, fallback: 10 });

interface Digest {
  readonly bytes: number;
  readonly sha256: string;
}

@Controller('lab')
export class BodiesController {
  @Post('echo')
  @HttpCode(200)
  echo(@RawBody() body: IncomingMessage): Promise<Digest> {
    return digest(body);
  }

  /* The body arrives on the handler's time: whoever may pause for 2 minutes needs more than 15 s. */
  @Post('bulk')
  @HttpCode(200)
  @Deadline({ handler: '10m', body: '2m' })
  bulk(@RawBody() body: IncomingMessage): Promise<Digest> {
    return digest(body);
  }

  /* Made piece by piece as the client takes it: a slow reader costs one piece, not the whole. */
  @Get('large')
  large(@Query('mb', megabytes) mb: number): StreamableFile {
    return new StreamableFile(Readable.from(noise(mb), { objectMode: false }), {
      type: 'application/octet-stream',
      length: mb * MEGABYTE,
    });
  }
}

async function digest(body: IncomingMessage): Promise<Digest> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest('hex') };
}

function* noise(mb: number): Generator<Buffer> {
  const chunk = Buffer.alloc(MEGABYTE / 16, 'nestjs-timeouts ');
  for (let sent = 0; sent < mb * 16; sent += 1) yield chunk;
}
