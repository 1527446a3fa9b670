import { createServer } from 'node:http';
import { memoryAfterCollection } from './memory.mjs';

// Loaded ahead of the demo, whose processes all see the same NODE_OPTIONS: only the API answers.
if (process.argv[1]?.endsWith('main.js') && process.env.MEMORY_PROBE_PORT) {
  const server = createServer(async (_request, response) => {
    response.setHeader('connection', 'close');
    response.end(JSON.stringify(await memoryAfterCollection()));
  });
  server.listen(Number(process.env.MEMORY_PROBE_PORT), '127.0.0.1').unref();
}
