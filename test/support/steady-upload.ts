import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';

const CLIENT = 'test/slow-clients/fixtures/steady-upload.mjs';

/** What a steady upload consists of. */
export interface SteadyUpload {
  readonly path: string;
  readonly pieces: number;
  readonly size: number;
  readonly everyMs: number;
}

/** Uploads from a process of its own, which goes on while this one is blocked; gives the answer as it came. */
export function uploadSteadily(port: number, upload: SteadyUpload): Promise<string> {
  const { path, pieces, size, everyMs } = upload;
  const args = [CLIENT, port, path, pieces, size, everyMs].map(String);
  const client = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  return text(client.stdout);
}
