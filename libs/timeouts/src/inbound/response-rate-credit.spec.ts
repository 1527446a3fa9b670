import { describe, expect, it } from '@jest/globals';
import { ResponseRateCredit } from './response-rate-credit.js';

const PERIOD = 100;
const LUMP = 500_000;

function creditOf(graceMs = 1_000, minRate = 1_000): ResponseRateCredit {
  return new ResponseRateCredit({ graceMs, minRate });
}

/** How long a client lasts that takes nothing. */
function lastsFor(credit: ResponseRateCredit): number {
  for (let ms = PERIOD; ms < 1_000_000; ms += PERIOD) if (!credit.spend(PERIOD, 0)) return ms;
  return Infinity;
}

/** Takes `bytes` at the end of each `gapMs`, `times` times; whether it lasts. */
function lasts(credit: ResponseRateCredit, gapMs: number, bytes: number, times = 300): boolean {
  for (let elapsed = PERIOD; elapsed <= gapMs * times; elapsed += PERIOD) {
    if (!credit.spend(PERIOD, elapsed % gapMs === 0 ? bytes : 0)) return false;
  }
  return true;
}

describe('the credit of a client that reads slowly', () => {
  it('B11 is twice the grace for one that takes nothing', () => {
    expect(lastsFor(creditOf())).toBe(2_000);
  });

  it('B11 is no more for one that took megabytes before', () => {
    const credit = creditOf();
    expect(lasts(credit, PERIOD, 50_000_000)).toBe(true);
    expect(lastsFor(credit)).toBe(2_000);
  });

  it('B11 is no more for one that paused for up to the grace', () => {
    const credit = creditOf();
    expect(lasts(credit, 1_000, LUMP, 10)).toBe(true);
    expect(lastsFor(credit)).toBe(2_000);
  });

  it.each([100, 500, 1_000])('B11 lasts at the rate, in lumps %d ms apart', (gapMs) => {
    expect(lasts(creditOf(), gapMs, gapMs * 1.05)).toBe(true);
  });

  it.each([100, 500, 1_000])('B11 does not last below the rate, in lumps %d ms apart', (gapMs) => {
    expect(lasts(creditOf(), gapMs, gapMs * 0.9)).toBe(false);
  });

  it('B11 is used up by a rate of a tenth, although there is always something', () => {
    const credit = creditOf();
    const isOver = () => !credit.spend(PERIOD, 10);
    let ms = PERIOD;
    while (!isOver()) ms += PERIOD;
    expect(ms).toBeGreaterThan(2_000);
    expect(ms).toBeLessThan(2_400);
  });

  // Seconds between lumps as Linux handed them to clients that read 20, 5 and 5 kB/s steadily.
  it.each([[[2.2, 6.3, 12.6, 25, 25]], [[8.9, 25, 60, 60]], [[8.9, 12.3, 12.6, 12.6]]])(
    'B11 lasts for a steady reader whose lumps grow: %j',
    (gaps) => {
      const credit = creditOf(5_000, 240);
      for (const gap of gaps) expect(lasts(credit, gap * 1_000, LUMP, 1)).toBe(true);
    },
  );

  it('B11 grows no further than two minutes', () => {
    const credit = creditOf(5_000, 240);
    for (const gapMs of [9_000, 30_000, 90_000, 110_000]) lasts(credit, gapMs, LUMP, 1);
    expect(lastsFor(credit)).toBe(120_000);
  });

  it('B11 is the average that counts for long silences, too', () => {
    // 8 s of silence for 1,000 bytes, which are worth 4.2 s.
    expect(lasts(creditOf(5_000, 240), 8_000, 1_000)).toBe(false);
  });
});
