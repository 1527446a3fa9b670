import type { Timeline } from '../timeline.js';

export async function sql(timeline: Timeline): Promise<void> {
  timeline.chapter('SQL');
  const idle = async () => (await timeline.database.running()).length === 0;
  const late = { status: 504, afterMs: 2_000 };
  await timeline.ask('a query', { path: '/lab/query?seconds=60' }, late);
  await timeline.see('PostgreSQL has stopped', idle);
  await timeline.ask('in a transaction', { path: '/lab/tx?seconds=60' }, late);
  await timeline.see('PostgreSQL has stopped', idle);
  await timeline.ask('in a savepoint', { path: '/lab/nested?seconds=60' }, late);
  await timeline.see('PostgreSQL has stopped', idle);
  await timeline.ask(
    'a statement timeout of 1 s',
    { path: '/v1/quick?seconds=60' },
    { status: 504, afterMs: 1_000, body: /"layer":"statement"/ },
  );
  await timeline.see('PostgreSQL has stopped', idle);
  await timeline.ask(
    'the client leaves',
    { path: '/lab/tx?seconds=60', leaveAfterMs: 300 },
    { status: 'left' },
  );
  await timeline.see('PostgreSQL has stopped', idle);
}
