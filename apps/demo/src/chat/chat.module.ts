import { Module } from '@nestjs/common';
import { ChatController } from './chat.controller.js';
import { ModelClient } from './model.client.js';

@Module({ controllers: [ChatController], providers: [ModelClient] })
export class ChatModule {}
