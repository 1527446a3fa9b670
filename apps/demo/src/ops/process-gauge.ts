import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Injectable } from '@nestjs/common';
import type { OnModuleDestroy, OnModuleInit } from '@nestjs/common';

const RESOLUTION_MS = 20;

export interface ProcessUse {
  readonly rssBytes: number;
  readonly heapBytes: number;
  readonly handles: number;
  /** The longest the event loop was held up since somebody last looked. */
  readonly loopDelayMs: number;
}

@Injectable()
export class ProcessGauge implements OnModuleInit, OnModuleDestroy {
  readonly #delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  onModuleInit(): void {
    this.#delay.enable();
  }

  onModuleDestroy(): void {
    this.#delay.disable();
  }

  read(): ProcessUse {
    const { rss, heapUsed } = process.memoryUsage();
    // The histogram counts the sampling interval itself as delay.
    const loopDelayMs = Math.max(0, Math.round(this.#delay.max / 1e6 - RESOLUTION_MS));
    this.#delay.reset();
    const handles = process.getActiveResourcesInfo().length;
    return { rssBytes: rss, heapBytes: heapUsed, handles, loopDelayMs };
  }
}
