import { describe, expect, it } from '@jest/globals';
import { parseDuration } from '../core/duration.js';
import { Faults, refuse, TimeoutsConfigurationError } from './configuration-error.js';

describe('TimeoutsConfigurationError', () => {
  it('lists every fault on a line of its own', () => {
    const error = new TimeoutsConfigurationError(['handler is 0', 'job is -1']);

    expect(error.message).toBe(
      'nestjs-timeouts found 2 faults in its configuration:\n  - handler is 0\n  - job is -1',
    );
    expect(error).toMatchObject({
      name: 'TimeoutsConfigurationError',
      code: 'invalid_configuration',
      faults: ['handler is 0', 'job is -1'],
    });
  });
});

describe('Faults', () => {
  it('collects refusals of both kinds, each once, and throws them together', () => {
    const faults = new Faults();

    faults.attempt(() => parseDuration(0, 'handler'));
    faults.attempt(() => refuse('status', 200, 'an error status'));
    faults.attempt(() => refuse('status', 200, 'an error status'));

    expect(() => faults.throwIfAny()).toThrow(
      expect.objectContaining({
        faults: [
          expect.stringContaining('handler is 0'),
          'status is 200; allowed: an error status',
        ] as unknown[],
      }),
    );
  });

  it('does not hide an error that is not about configuration', () => {
    const broken = (): never => {
      throw new RangeError('a bug');
    };

    expect(() => new Faults().attempt(broken)).toThrow(RangeError);
  });

  it('throws nothing when nothing was refused', () => {
    const faults = new Faults();

    expect(faults.attempt(() => 5)).toBe(5);
    expect(() => faults.throwIfAny()).not.toThrow();
  });
});
