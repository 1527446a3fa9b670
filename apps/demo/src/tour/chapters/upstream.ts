import type { Timeline } from '../timeline.js';

const SLOW = '/lab/upstream?ms=60000';

export async function upstream(timeline: Timeline): Promise<void> {
  timeline.chapter('Outbound calls end with the request');
  const before = await timeline.leftUpstream('/sleep');
  const closed = (count: number) => async () =>
    (await timeline.leftUpstream('/sleep')) === before + count;

  await timeline.ask('a slow upstream', { path: SLOW }, { status: 504, afterMs: 2_000 });
  await timeline.see('the upstream saw its caller go', closed(1));
  await timeline.ask('the client leaves', { path: SLOW, leaveAfterMs: 300 }, { status: 'left' });
  await timeline.see('the upstream saw its caller go', closed(2));
}

export async function search(timeline: Timeline): Promise<void> {
  timeline.chapter('A search answers what came in time');
  const before = await timeline.leftUpstream('/shards');
  await timeline.ask(
    'one slow shard',
    { path: '/v1/search?q=nest&delayMs=0,3000,0' },
    { status: 200, afterMs: 800, body: /"partial":true,"missing":\["shard-b"\]/ },
  );
  await timeline.see('the slow shard saw its caller go', async () => {
    return (await timeline.leftUpstream('/shards')) === before + 1;
  });
}

export async function chat(timeline: Timeline): Promise<void> {
  timeline.chapter('A stream ends when its reader leaves');
  const messages = [{ role: 'user', content: 'hi' }];
  const path = '/v1/chat/completions';
  await timeline.ask(
    'five tokens',
    { path, body: { messages, stream: true, tokens: 5, intervalMs: 20 } },
    { status: 200, body: /data: \[DONE\]/ },
  );
  const before = await timeline.leftUpstream('/model');
  const endless = { messages, stream: true, tokens: 10_000, intervalMs: 20 };
  await timeline.ask(
    'the reader leaves',
    { path, body: endless, leaveAfterMs: 500 },
    { status: 'left' },
  );
  await timeline.see('the model saw its caller go', async () => {
    return (await timeline.leftUpstream('/model')) === before + 1;
  });
}
