import type { Timeline } from '../timeline.js';

const LONG = 5_000;

export async function deadlines(timeline: Timeline): Promise<void> {
  timeline.chapter('The handler timeout is 2 s');
  const late = { status: 504, afterMs: 2_000, body: /"layer":"handler"/ };
  await timeline.ask('obeys its signal', { path: `/lab/sleep?ms=${LONG}` }, late);
  await timeline.ask('ignores it', { path: `/lab/deaf?ms=${LONG}` }, late);
  await timeline.ask('hung guard', { path: `/lab/guard?ms=${LONG}` }, late);
  await timeline.ask('answers by hand', { path: `/lab/raw?ms=${LONG}` }, late);
  await timeline.ask('blocks the loop', { path: '/lab/cpu?ms=2500' }, { ...late, afterMs: 2_500 });
  await timeline.ask(
    '@Deadline("500ms")',
    { path: `/lab/tight?ms=${LONG}` },
    { ...late, afterMs: 500 },
  );
  const fine = { status: 200, afterMs: 2_500 };
  await timeline.ask('@SkipTimeout()', { path: '/lab/skip?ms=2500' }, fine);
  await timeline.ask('a policy of 60 s', { path: '/lab/policy?ms=2500' }, fine);
  await timeline.ask('what is left', { path: '/lab/budget' }, { status: 200, body: /budgetMs":1/ });
}
