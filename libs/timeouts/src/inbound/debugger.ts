import { url } from 'node:inspector';

/** Whether an inspector listens, so that somebody may be stepping through a request. */
export function isDebuggerAttached(): boolean {
  return url() !== undefined;
}
