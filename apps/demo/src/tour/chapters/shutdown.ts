import { setTimeout as wait } from 'node:timers/promises';
import type { Stack } from '../../launch/stack.js';
import type { Timeline } from '../timeline.js';

export async function shutdown(timeline: Timeline, stack: Stack): Promise<void> {
  timeline.chapter('SIGTERM, with a request in flight');
  const inFlight = timeline.ask(
    'it finishes',
    { path: '/lab/sleep?ms=1500' },
    { status: 200, afterMs: 1_500 },
  );
  await wait(300);
  await Promise.all([stack.stop(), inFlight]);
  await timeline.see('the API ended by itself', () => Promise.resolve(stack.drained));
  await timeline.see('nothing listens any more', async () => {
    const probes = [timeline.urls.api, timeline.urls.upstream].map((url) => fetch(url));
    const results = await Promise.allSettled(probes);
    return results.every(({ status }) => status === 'rejected');
  });
}
