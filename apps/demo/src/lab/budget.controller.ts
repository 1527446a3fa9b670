import type { AddressInfo } from 'node:net';
import type { Server } from 'node:http';
import { Controller, Get, Query } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import { CurrentScope } from 'nestjs-timeouts';
import type { CancelReason, Scope } from 'nestjs-timeouts';
import { NumberPipe } from '../input/number.pipe.js';

const hops = new NumberPipe({ min: 0, max: 20, whole: true, fallback: 1 });

interface Hop {
  readonly depth: number;
  readonly budgetMs: number | null;
}

interface Budget {
  readonly budgetMs: number | null;
  readonly deadlineInherited: boolean;
  readonly reason: CancelReason | null;
}

@Controller('lab')
export class BudgetController {
  constructor(private readonly host: HttpAdapterHost) {}

  @Get('budget')
  budget(@CurrentScope() scope: Scope): Budget {
    return { budgetMs: budgetOf(scope), deadlineInherited: false, reason: scope.reason ?? null };
  }

  /** Calls itself over HTTP, `depth` times over, and lists what each hop had left. */
  @Get('hop')
  async hop(
    @Query('depth', hops) depth: number,
    @CurrentScope() scope: Scope,
  ): Promise<{ hops: Hop[] }> {
    const own: Hop = { depth, budgetMs: budgetOf(scope) };
    if (depth === 0) return { hops: [own] };

    const url = `${this.#ownUrl()}/lab/hop?depth=${depth - 1}`;
    const response = await fetch(url, { signal: scope.signal });
    const inner = (await response.json()) as { hops: Hop[] };
    return { hops: [own, ...inner.hops] };
  }

  #ownUrl(): string {
    const server = this.host.httpAdapter.getHttpServer() as Server;
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
}

/* JSON knows no Infinity: null is "no limit". */
function budgetOf(scope: Scope): number | null {
  const budgetMs = scope.budgetMs();
  return Number.isFinite(budgetMs) ? Math.floor(budgetMs) : null;
}
