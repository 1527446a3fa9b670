import { drip, readSlowly } from 'nestjs-timeouts/testing';
import { serve } from './harness/child.mjs';

const BODY = 'x'.repeat(8_192);

/** The same three attacks as those of slowhttptest, by the package's own clients. */
const MODES = {
  headers: (url, giveUpAfter) =>
    drip(url, { headers: { 'x-padding': BODY }, bytes: 10, every: '1s', giveUpAfter }),
  body: (url, giveUpAfter) => drip(url, { body: BODY, bytes: 10, every: '1s', giveUpAfter }),
  read: (url, giveUpAfter) => readSlowly(url, { bytes: 32, every: '1s', giveUpAfter }),
};

serve({
  /** Opens all connections within a second, and waits for the end of each. */
  async attack({ mode, url, connections, seconds }) {
    const startedAt = performance.now();
    let lastGoneAfterMs = 0;
    const attack = async (number) => {
      await new Promise((resolve) => setTimeout(resolve, (number / connections) * 1_000));
      const { ended } = await MODES[mode](url, `${seconds}s`);
      if (ended !== 'open') lastGoneAfterMs = performance.now() - startedAt;
      return ended;
    };
    const ends = await Promise.all(Array.from({ length: connections }, (_, i) => attack(i)));
    const left = ends.filter((ended) => ended === 'open').length;
    return { opened: ends.length, left, lastGoneAfterMs: left > 0 ? undefined : lastGoneAfterMs };
  },
});
