import { drip, readSlowly, stall, vanish } from 'nestjs-timeouts/testing';
import type { Timeline } from '../timeline.js';

const MEGABYTE = 'x'.repeat(1_000_000);
/* No client is given more than 1 s in this tour; one that is not stopped gives up after a while. */
const giveUpAfter = '8s';

export async function bodies(timeline: Timeline): Promise<void> {
  timeline.chapter('Bodies are read as they arrive, from clients that keep up');
  const body = { text: MEGABYTE };
  const digest = /"bytes":1000011,"sha256":"[0-9a-f]{64}"/;
  await timeline.ask('a megabyte', { path: '/lab/echo', body }, { status: 200, body: digest });
  await slowClients(timeline);
  await abandoned(timeline);
}

async function slowClients(timeline: Timeline): Promise<void> {
  const tooSlow = (layer: string) => ({
    status: 408,
    afterMs: 1_000,
    body: new RegExp(`"layer":"${layer}"`),
  });
  await timeline.meet(
    'headers, byte by byte',
    '/lab/budget',
    (url) => drip(url, { every: '200ms', giveUpAfter }),
    tooSlow('headers'),
  );
  await timeline.meet(
    'a body, byte by byte',
    '/lab/echo',
    (url) => drip(url, { body: MEGABYTE, every: '200ms', giveUpAfter }),
    tooSlow('body'),
  );
  await timeline.meet(
    'half a body, then silence',
    '/lab/echo',
    (url) => stall(url, { body: MEGABYTE, giveUpAfter }),
    tooSlow('body'),
  );
  await timeline.meet(
    'a reader that reads nothing',
    '/lab/large?mb=64',
    (url) => readSlowly(url, { giveUpAfter }),
    // What the system took for it counts as read, and is worth a second grace.
    { status: 'reset', afterMs: 2_000 },
  );
}

async function abandoned(timeline: Timeline): Promise<void> {
  const before = await timeline.database.documents();
  await timeline.meet(
    'the client leaves in the middle of an upload',
    '/v1/documents',
    (url) => vanish(url, { body: MEGABYTE, at: 'mid-body', after: '200ms' }),
    { status: 'left', afterMs: 200 },
  );
  await timeline.see('nothing was stored', async () => {
    return (await timeline.database.documents()) === before;
  });
}
