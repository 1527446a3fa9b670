import { describe, expect, it } from '@jest/globals';
import { createSkipMatcher, parseSkipPaths, unmatchedSkipPaths } from './skip-paths.js';

describe('parseSkipPaths', () => {
  it('P10 puts a slash in front, none behind, and keeps each entry once', () => {
    const paths = parseSkipPaths(
      ['v1/chat', '/v1/chat/', ' //ws// ', '/v1/orders:cancel'],
      'skipPaths',
    );

    expect(paths).toEqual(['/v1/chat', '/ws', '/v1/orders:cancel']);
  });

  it.each([
    ['/'],
    ['//'],
    [''],
    ['  '],
    ['/v1/*'],
    ['/a?b'],
    ['/users/:id'],
    ['/a{/b}'],
    [5],
    [null],
  ])('P10 refuses the entry %p', (entry) => {
    expect(() => parseSkipPaths(['/ok', entry], 'skipPaths')).toThrow('an entry of skipPaths is');
  });

  it('P10 refuses what is not a list', () => {
    expect(() => parseSkipPaths('/v1/chat', 'skipPaths')).toThrow('skipPaths is "/v1/chat"');
  });
});

describe('createSkipMatcher', () => {
  const skips = createSkipMatcher(['/v1/chat', '/caf%C3%A9']);

  it.each([
    ['/v1/chat', true],
    ['/v1/chat/', true],
    ['/v1/chat/stream', true],
    ['/v1/chat?x=1', true],
    ['/v1/chat/?x=1', true],
    ['/v1/chat#top', true],
    ['/caf%C3%A9/menu', true],
    ['/v1/chatter', false],
    ['/v1/chat%2Fstream', false],
    ['/v1/chat.json', false],
    ['/api/v1/chat', false],
    ['/v1', false],
    ['/v1?next=/v1/chat', false],
    ['/V1/chat', false],
    ['/', false],
    ['', false],
  ])('P10 matches whole segments only: %p is %p', (url, skipped) => {
    expect(skips(url)).toBe(skipped);
  });

  it('matches nothing without entries', () => {
    expect(createSkipMatcher([])('/v1/chat')).toBe(false);
  });
});

describe('unmatchedSkipPaths', () => {
  const routes = ['/v1/chat', '/v1/chat/:id/stream', '/files/*path', '/', '/opt{/:x}/y'];

  it.each([
    ['/v1/chat', true],
    ['/v1', true],
    ['/v1/chat/42', true],
    ['/v1/chat/42/stream', true],
    ['/files/a/b/c', true],
    ['/opt/1/y', true],
    ['/v1/chats', false],
    ['/v1/chat/42/stop', false],
    ['/v1/chat/42/stream/more', false],
    ['/chat', false],
  ])('P10 notices an entry without a route: %p is %p', (path, matched) => {
    expect(unmatchedSkipPaths([path], routes)).toEqual(matched ? [] : [path]);
  });
});
