import type { Timeline } from '../timeline.js';

export async function answers(timeline: Timeline): Promise<void> {
  timeline.chapter('Work that is done in time');
  await timeline.ask('orders', { path: '/v1/orders?limit=1' }, { status: 200, body: /"items"/ });
  await timeline.ask(
    'a new order',
    { path: '/v1/orders', body: { customer: 'ada', amountCents: 1200 } },
    { status: 201, body: /"customer":"ada"/ },
  );
  await timeline.ask('a bad one', { path: '/v1/orders', body: {} }, { status: 400 });
  await timeline.ask('a report', { path: '/v1/report?weight=1' }, { status: 200, body: /margin/ });
  await timeline.ask('ready', { path: '/_ops/ready' }, { status: 200, body: /"status":"ok"/ });
}
