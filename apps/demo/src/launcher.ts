import { readEnvironment } from './launch/environment.js';
import { stopOnSignal } from './launch/signals.js';
import { Stack } from './launch/stack.js';
import { welcome } from './launch/welcome.js';

async function launch(): Promise<number> {
  const { env } = process;
  const stack = new Stack({ ...(await readEnvironment(env)), env, output: 'inherit' });
  const failure = await Promise.race([stopOnSignal(stack), run(stack)]);
  await stack.stop();
  if (failure) console.error(failure);
  return failure || !stack.drained ? 1 : 0;
}

/** Settles with what went wrong. */
async function run(stack: Stack): Promise<string> {
  try {
    console.log(welcome(await stack.start()));
    return await stack.failure;
  } catch (error) {
    return (error as Error).message;
  }
}

launch().then(
  (code) => process.exit(code),
  (error: Error) => {
    console.error(error.message);
    process.exit(1);
  },
);
