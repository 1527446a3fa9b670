import { describe, expect, it } from '@jest/globals';
import { Deadline, readMarker, SkipTimeout, TIMEOUTS_METADATA } from './decorators.js';

@Deadline('5s')
class Parent {
  @Deadline({ handler: '1s' })
  @SkipTimeout('body')
  method(): void {}

  @Deadline('1s')
  static tick(): void {}

  plain(): void {}
}

class Child extends Parent {}

@SkipTimeout()
class Skipping extends Parent {
  override method(): void {}
}

@SkipTimeout('handler', 'body')
@Deadline('1s')
@Deadline({ policy: 'fast' })
class Stacked {}

describe('decorators', () => {
  it.each([
    ['a class', Parent, ['5s'], []],
    ['a method', Parent.prototype.method, [{ handler: '1s' }], ['body']],
    ['a static method', Parent.tick, ['1s'], []],
    ['a class from its parent', Child, ['5s'], []],
    ['a method from its parent', Child.prototype.method, [{ handler: '1s' }], ['body']],
    ['its own marker only, when a class has one', Skipping, [], ['handler']],
    [
      'stacked decorators, the top one last',
      Stacked,
      [{ policy: 'fast' }, '1s'],
      ['handler', 'body'],
    ],
  ])('mark %s', (_, target, specs, skip) => {
    expect(readMarker(target)).toEqual({ specs, skip });
  });

  it('leave everything else alone', () => {
    expect(readMarker(Parent.prototype.plain)).toBeUndefined();
    expect(readMarker(Skipping.prototype.method)).toBeUndefined();
    expect(readMarker(Parent)).toEqual({ specs: ['5s'], skip: [] });
  });

  it('use one metadata key', () => {
    expect(Reflect.getMetadataKeys(Stacked)).toEqual([TIMEOUTS_METADATA]);
  });

  it('accept anything at decoration time, so that faults can name their route', () => {
    expect(() => Deadline('soon' as never)(Child)).not.toThrow();
    expect(() => SkipTimeout('outbound' as never)(Child)).not.toThrow();
  });

  it.each([
    ['a property', undefined],
    ['an accessor', { get: () => 5 }],
  ])('refuse %s', (_, descriptor) => {
    const decorate = (): unknown => Deadline('1s')(Parent.prototype, 'field', descriptor as never);

    expect(decorate).toThrow('@Deadline on Parent.field: allowed on methods and classes only');
  });
});
