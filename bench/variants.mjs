import { AsyncLocalStorage } from 'node:async_hooks';
import { RequestTimeoutException } from '@nestjs/common';
import { APP_INTERCEPTOR } from '@nestjs/core';
import { Observable, TimeoutError, catchError, takeUntil, throwError, timeout } from 'rxjs';

const LIMIT_MS = 5_000;

/** What each variant adds to the same app. Loaded in the variant's own process only. */
export const variants = {
  bare: () => ({}),
  'docs-interceptor': () => withInterceptor(DocumentedTimeoutInterceptor),
  'hand-written': () => ({
    ...withInterceptor(CancelInterceptor),
    configure: (consumer) => consumer.apply(openRequestScope).forRoutes('{*path}'),
  }),
  'nestjs-cls': async () => {
    const { ClsModule } = await import('nestjs-cls');
    return withModule(ClsModule.forRoot({ global: true, middleware: { mount: true } }));
  },
  'fastify handlerTimeout': () => ({ adapterOptions: { handlerTimeout: LIMIT_MS } }),
  ours: async () => {
    const { TimeoutsModule } = await import('nestjs-timeouts');
    return withModule(TimeoutsModule.forRoot());
  },
  'ours-interceptor': async () => {
    const { TimeoutsModule } = await import('nestjs-timeouts');
    return withModule(TimeoutsModule.forRoot({ enforcement: 'interceptor' }));
  },
};

export function variantsFor(adapter) {
  const names = Object.keys(variants);
  return adapter === 'fastify' ? names : names.filter((name) => !name.startsWith('fastify'));
}

/** The ratios to bare that `ours` has to reach, by adapter and Node's major version. */
export const limits = {
  express: { 20: 1.1, 24: 1.08 },
  fastify: { 20: 1.4, 24: 1.15 },
};

function withModule(imported) {
  return { module: { imports: [imported] } };
}

function withInterceptor(useClass) {
  return { module: { providers: [{ provide: APP_INTERCEPTOR, useClass }] } };
}

// As printed in the NestJS documentation (Interceptors, "More operators").
class DocumentedTimeoutInterceptor {
  intercept(_context, next) {
    return next.handle().pipe(
      timeout(LIMIT_MS),
      catchError((error) => {
        if (error instanceof TimeoutError) {
          return throwError(() => new RequestTimeoutException());
        }
        return throwError(() => error);
      }),
    );
  }
}

// What a competent user writes instead: one signal per request, for the time limit and for the
// client that went away, readable from anywhere below the handler.
const requestScope = new AsyncLocalStorage();

function openRequestScope(_request, response, next) {
  const controller = new AbortController();
  const timer = setTimeout(() => controller.abort(new RequestTimeoutException()), LIMIT_MS);
  const raw = response.raw ?? response;
  raw.once('close', () => {
    clearTimeout(timer);
    if (!raw.writableFinished) controller.abort(new Error('The client went away'));
  });
  requestScope.run({ signal: controller.signal }, next);
}

class CancelInterceptor {
  intercept(_context, next) {
    const { signal } = requestScope.getStore();
    return next.handle().pipe(takeUntil(abortOf(signal)));
  }
}

function abortOf(signal) {
  return new Observable((subscriber) => {
    const fail = () => subscriber.error(signal.reason);
    if (signal.aborted) return fail();
    signal.addEventListener('abort', fail, { once: true });
    return () => signal.removeEventListener('abort', fail);
  });
}
