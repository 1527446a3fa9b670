import type { Timeline } from '../timeline.js';

export async function sql(timeline: Timeline): Promise<void> {
  timeline.chapter('SQL');
  const late = { status: 504, afterMs: 2_000 };
  await timeline.ask('a query', { path: '/lab/query?seconds=3' }, late);
  await timeline.ask('in a transaction', { path: '/lab/tx?seconds=3' }, late);
  await timeline.ask('in a savepoint', { path: '/lab/nested?seconds=3' }, late);
  await timeline.see('PostgreSQL is idle', async () => {
    return (await timeline.database.running()).length === 0;
  });
}
