import { randomUUID } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { currentScope } from 'nestjs-timeouts';
import { DataSource } from 'typeorm';
import type { Upload } from './spool.js';

const CHUNK = 'INSERT INTO document_chunks (document_id, position, content) VALUES ($1, $2, $3)';
const DOCUMENT = 'INSERT INTO documents (id, bytes, sha256) VALUES ($1, $2, $3)';

@Injectable()
export class DocumentsService {
  constructor(private readonly database: DataSource) {}

  /** All of it or nothing; never more than one chunk in memory. */
  async store(upload: Upload): Promise<string> {
    const id = randomUUID();
    await this.database.transaction(async (manager) => {
      await manager.query(DOCUMENT, [id, upload.bytes, upload.sha256]);
      let position = 0;
      for await (const chunk of upload.chunks()) {
        currentScope().throwIfCancelled();
        await manager.query(CHUNK, [id, position++, chunk]);
      }
      currentScope().throwIfCancelled();
    });
    return id;
  }
}
