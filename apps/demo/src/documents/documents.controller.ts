import type { IncomingMessage } from 'node:http';
import { Controller, HttpCode, Post } from '@nestjs/common';
import { CancelSignal, Deadline } from 'nestjs-timeouts';
import { RawBody } from '../input/raw-body.js';
import { DocumentsService } from './documents.service.js';
import { spool } from './spool.js';

interface Accepted {
  readonly id: string;
  /** Nothing ingests documents yet, so there is no job to ask about. */
  readonly jobId: null;
  readonly bytes: number;
  readonly sha256: string;
}

@Controller('v1/documents')
export class DocumentsController {
  constructor(private readonly documents: DocumentsService) {}

  /* The handler's time covers the upload: it has to be the longer of the two. */
  @Post()
  @HttpCode(202)
  @Deadline({ handler: '11m', body: { idle: '1m', total: '10m' } })
  async upload(
    @RawBody() body: IncomingMessage,
    @CancelSignal() signal: AbortSignal,
  ): Promise<Accepted> {
    const upload = await spool(body, signal);
    try {
      const id = await this.documents.store(upload);
      return { id, jobId: null, bytes: upload.bytes, sha256: upload.sha256 };
    } finally {
      await upload.discard();
    }
  }
}
