import 'reflect-metadata';
import { Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';

export const adapters = {
  express: async () => new (await import('@nestjs/platform-express')).ExpressAdapter(),
  fastify: async (options) =>
    new (await import('@nestjs/platform-fastify')).FastifyAdapter(options),
};

/** A listening Nest app on an adapter, with the parts that a variant adds to it. */
export async function listen(
  adapter,
  { controllers, module = {}, adapterOptions, configure, prepare },
) {
  class AppModule {
    configure(consumer) {
      configure?.(consumer);
    }
  }
  Module({ controllers, ...module })(AppModule);
  const app = await NestFactory.create(AppModule, await adapters[adapter](adapterOptions), {
    logger: false,
  });
  prepare?.(app);
  await app.listen(0, '127.0.0.1');
  return app;
}

export function portOf(app) {
  return app.getHttpServer().address().port;
}
