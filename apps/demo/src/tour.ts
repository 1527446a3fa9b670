import { stopOnSignal } from './launch/signals.js';
import { Stack } from './launch/stack.js';
import { Settings } from './settings.js';
import { answers } from './tour/chapters/answers.js';
import { bodies } from './tour/chapters/bodies.js';
import { deadlines } from './tour/chapters/deadlines.js';
import { shutdown } from './tour/chapters/shutdown.js';
import { sql } from './tour/chapters/sql.js';
import { chat, search, upstream } from './tour/chapters/upstream.js';
import { Timeline } from './tour/timeline.js';

/* Short limits, so that the tour is short. */
const LIMITS = {
  APP_ENV: 'development',
  REQUEST_TIMEOUT_SECONDS: '2',
  REQUEST_HEADERS_TIMEOUT_SECONDS: '1',
  REQUEST_BODY_TIMEOUT_SECONDS: '1',
  REQUEST_BODY_GRACE_SECONDS: '1',
  RESPONSE_GRACE_SECONDS: '1',
};
const ANY_PORT = { PORT: '0', UPSTREAM_PORT: '0' };

async function take(stack: Stack): Promise<number> {
  const timeline = new Timeline(await stack.start());
  for (const chapter of [answers, deadlines, upstream, search, chat, bodies, sql]) {
    await chapter(timeline);
  }
  await shutdown(timeline, stack);
  const { broken } = timeline;
  console.log(broken === 0 ? '\nAll as promised.' : `\n${broken} not as promised.`);
  return broken === 0 ? 0 : 1;
}

async function main(): Promise<number> {
  const env = { ...process.env, ...LIMITS, ...ANY_PORT };
  const settings = new Settings(env);
  const stack = new Stack({ settings, env, drainWithinMs: 30_000, output: 'ignore' });
  try {
    const interrupted = stopOnSignal(stack).then(() => 1);
    const failed = stack.failure.then((failure) => {
      throw new Error(failure);
    });
    return await Promise.race([take(stack), interrupted, failed]);
  } finally {
    await stack.stop();
  }
}

main().then(
  (code) => process.exit(code),
  (error: Error) => {
    console.error(error.message);
    process.exit(1);
  },
);
