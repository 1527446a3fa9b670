import { Injectable } from '@nestjs/common';
import { UpstreamClient } from '../upstream/upstream.client.js';
import type { CompletionRequest } from './completion-request.js';
import { readEvents } from './server-sent-events.js';

export interface Token {
  readonly token: string;
}

@Injectable()
export class ModelClient {
  constructor(private readonly upstream: UpstreamClient) {}

  /** Resolves once the model has begun to answer; closing the iterable closes its connection. */
  async complete(request: CompletionRequest): Promise<AsyncIterable<Token>> {
    const response = await this.upstream.post('/model', request);
    return tokens(response);
  }
}

async function* tokens(response: Response): AsyncGenerator<Token> {
  for await (const data of readEvents(response)) {
    if (data === '[DONE]') return;
    yield JSON.parse(data) as Token;
  }
}
