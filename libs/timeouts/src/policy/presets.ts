import type { TimeoutsOptions } from './timeouts-options.js';

/** A workload that brings its own limits. */
export type Preset = 'api' | 'ai' | 'upload' | 'batch';

/** The limits of each preset; what a preset does not name keeps the profile's default. */
export const PRESETS: Readonly<Record<Preset, TimeoutsOptions>> = {
  api: {
    body: '15s',
    handler: '30s',
    outbound: '10s',
    statement: '5s',
    shutdown: { grace: '20s' },
  },
  ai: { body: '30s', handler: '120s', outbound: '60s', shutdown: { grace: '30s' } },
  upload: { body: '120s', handler: '300s', shutdown: { grace: '60s' } },
  batch: { job: '1h', statement: '5m', shutdown: { grace: '120s' } },
};
