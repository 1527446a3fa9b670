import { describe, expect, it } from '@jest/globals';
import { formatDuration, InvalidDurationError, parseDelay, parseDuration } from './duration.js';

describe('parseDuration', () => {
  it.each([
    [250, 250],
    [0.5, 0.5],
    [2 ** 31, 2 ** 31],
    ['250ms', 250],
    ['2s', 2_000],
    ['1.001s', 1_001],
    ['.5s', 500],
    ['2 minutes', 120_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['25d', 2_160_000_000],
  ])('reads %p as %p ms', (value, ms) => {
    expect(parseDuration(value, 'handler')).toBe(ms);
  });

  it.each([['none'], ['Infinity'], [Infinity]])('P07 reads %p as no limit', (value) => {
    expect(parseDuration(value, 'handler')).toBe(Infinity);
  });

  it.each([
    [0, '0'],
    [-0, '0'],
    ['0s', '"0s"'],
    [-1, '-1'],
    ['-1s', '"-1s"'],
    [-Infinity, '-Infinity'],
    [NaN, 'NaN'],
    ['soon', '"soon"'],
    ['5 parsecs', '"5 parsecs"'],
    ['100', '"100"'],
    ['100 ', '"100 "'],
    ['1e3s', '"1e3s"'],
    ['0x10s', '"0x10s"'],
    ['٣s', '"٣s"'],
    ['', '""'],
    ['   ', '"   "'],
    ['infinity', '"infinity"'],
    ['9'.repeat(200) + 's', '"99999'],
    [null, 'null'],
    [undefined, 'undefined'],
    [true, 'true'],
    [5n, '5'],
    [[5], 'a list'],
    [{ ms: 5 }, 'an object'],
    [() => 5, 'a function'],
    [Symbol('5s'), 'Symbol(5s)'],
  ])('P06 refuses %p and names the option, its value and what is allowed', (value, shown) => {
    const parse = () => parseDuration(value, 'shutdown.grace');

    expect(parse).toThrow(InvalidDurationError);
    expect(parse).toThrow(`shutdown.grace is ${shown}`);
    expect(parse).toThrow("above 0, a string such as '250ms', '2s', '5m' or '1h', or 'none'");
  });

  it('explains why a bare number in a string is refused', () => {
    expect(() => parseDuration('100', 'handler')).toThrow('no unit');
  });

  it('carries a stable code, the name and the value', () => {
    const error = new InvalidDurationError('handler', 'soon');

    expect(error).toMatchObject({
      name: 'InvalidDurationError',
      code: 'invalid_duration',
      what: 'handler',
      value: 'soon',
    });
  });
});

describe('parseDelay', () => {
  it.each([
    [0, 0],
    ['0s', 0],
    ['5s', 5_000],
  ])('reads %p as %p ms', (value, ms) => {
    expect(parseDelay(value, 'shutdown.quiet')).toBe(ms);
  });

  it.each([[-1], [NaN], ['0'], ['none'], [Infinity]])('P06 refuses %p', (value) => {
    expect(() => parseDelay(value, 'shutdown.quiet')).toThrow('shutdown.quiet is');
  });
});

describe('formatDuration', () => {
  it.each([
    [Infinity, 'none'],
    [0, '0s'],
    [0.5, '0.5ms'],
    [250, '250ms'],
    [1_000, '1s'],
    [1_500, '1.5s'],
    [1_233.4567, '1.233s'],
    [30_000, '30s'],
    [90_000, '90s'],
    [300_000, '5m'],
    [3_600_000, '1h'],
    [86_400_000, '24h'],
  ])('writes %p ms as %p', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });

  it.each([[1], [999], [1_001], [61_001], [3_600_001], [2 ** 31], [Infinity]])(
    'writes %p ms so that it can be read back',
    (ms) => {
      expect(parseDuration(formatDuration(ms), 'handler')).toBe(ms);
    },
  );
});
