import { createApp } from './create-app.js';
import { Settings } from './settings.js';

async function main(): Promise<void> {
  const settings = new Settings(process.env);
  const app = await createApp(settings);
  await app.listen(settings.port, '127.0.0.1');
  process.send?.({ type: 'listening', url: await app.getUrl() });
}

// The launcher is gone without a word (SIGKILL): nobody is left to stop us.
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
process.channel?.unref();

main().catch((error: Error) => {
  console.error(`The API could not start: ${error.message}`);
  process.exit(1);
});
