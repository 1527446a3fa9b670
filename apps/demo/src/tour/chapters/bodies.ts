import type { Timeline } from '../timeline.js';

export async function bodies(timeline: Timeline): Promise<void> {
  timeline.chapter('Bodies are read as they arrive');
  const body = { text: 'x'.repeat(1_000_000) };
  const digest = /"bytes":1000011,"sha256":"[0-9a-f]{64}"/;
  await timeline.ask('a megabyte', { path: '/lab/echo', body }, { status: 200, body: digest });
}
