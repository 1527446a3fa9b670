import { setTimeout as wait } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import type { CanActivate, ExecutionContext } from '@nestjs/common';
import { milliseconds } from '../input/number.pipe.js';

/** A guard that hangs for `ms`, the way one does whose session store is down. */
@Injectable()
export class HungGuard implements CanActivate {
  async canActivate(context: ExecutionContext): Promise<boolean> {
    const { query } = context.switchToHttp().getRequest<{ query: { ms?: unknown } }>();
    await wait(milliseconds.transform(query.ms, { type: 'query', data: 'ms' }));
    return true;
  }
}
