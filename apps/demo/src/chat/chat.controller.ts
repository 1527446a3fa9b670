import { Body, Controller, HttpCode, Post } from '@nestjs/common';
import { Deadline } from 'nestjs-timeouts';
import { readCompletionRequest } from './completion-request.js';
import { ModelClient } from './model.client.js';
import { serverSentEvents } from './server-sent-events.js';

interface Completion {
  readonly message: { readonly role: 'assistant'; readonly content: string };
}

@Controller('v1/chat')
export class ChatController {
  constructor(private readonly model: ModelClient) {}

  /** The first token is due within the handler timeout; from then on only the stream's limits hold. */
  @Post('completions')
  @HttpCode(200)
  @Deadline({ stream: { idle: '15s', total: '5m' } })
  async complete(@Body() body: unknown): Promise<Response | Completion> {
    const request = readCompletionRequest(body);
    const tokens = await this.model.complete(request);
    if (request.stream) return serverSentEvents(tokens);

    let content = '';
    for await (const { token } of tokens) content += token;
    return { message: { role: 'assistant', content } };
  }
}
