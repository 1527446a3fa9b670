import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { AppModule } from './app.module.js';
import { BootLogger } from './boot-logger.js';
import { keepRawBodies } from './input/raw-body.js';
import type { Settings } from './settings.js';

export async function createApp(settings: Settings): Promise<INestApplication> {
  const adapter = settings.adapter === 'fastify' ? new FastifyAdapter() : new ExpressAdapter();
  const app = await NestFactory.create(AppModule.with(settings), adapter, {
    abortOnError: false,
    logger: new BootLogger({ colors: process.stdout.isTTY }),
  });
  keepRawBodies(app);
  app.enableShutdownHooks();
  return app;
}
