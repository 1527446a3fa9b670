import { afterEach, describe, expect, it } from '@jest/globals';
import { detectProfile, pick } from './profile.js';

const { APP_ENV } = process.env;

afterEach(() => {
  if (APP_ENV === undefined) delete process.env['APP_ENV'];
  else process.env['APP_ENV'] = APP_ENV;
});

describe('detectProfile', () => {
  it.each([
    ['production', 'production'],
    ['prod', 'production'],
    ['development', 'development'],
    ['dev', 'development'],
    ['local', 'development'],
    ['test', 'development'],
    ['staging', 'development'],
    ['preview', 'development'],
    ['uat', 'development'],
    [' PROD ', 'production'],
    ['Staging\n', 'development'],
  ])('P09 takes %p for %s', (name, profile) => {
    expect(detectProfile({ APP_ENV: name })).toBe(profile);
    expect(detectProfile({ NODE_ENV: name })).toBe(profile);
  });

  it.each([
    [{ APP_ENV: 'prod', NODE_ENV: 'development' }, 'production'],
    [{ APP_ENV: 'dev', NODE_ENV: 'production' }, 'development'],
    [{ APP_ENV: ' ', NODE_ENV: 'production' }, 'production'],
    [{ APP_ENV: '', NODE_ENV: '' }, 'development'],
    [{}, 'development'],
  ])('P09 lets APP_ENV decide before NODE_ENV: %p', (env, profile) => {
    expect(detectProfile(env)).toBe(profile);
  });

  it.each([
    [{ APP_ENV: 'prd' }, 'APP_ENV is "prd"; allowed: production, prod, development, dev'],
    [{ NODE_ENV: 'constructor' }, 'NODE_ENV is "constructor"; allowed: production'],
  ])('P09 refuses an unknown name: %p', (env, message) => {
    expect(() => detectProfile(env)).toThrow(message);
  });
});

describe('pick', () => {
  it.each([
    ['prod', 30],
    ['staging', 15],
    [undefined, 15],
  ])('P09 picks for %p', (name, picked) => {
    expect(pick({ prod: 30, nonprod: 15 }, { APP_ENV: name })).toBe(picked);
  });

  it('P09 asks the environment of the process by default', () => {
    process.env['APP_ENV'] = 'production';

    expect(pick({ prod: 'a', nonprod: undefined })).toBe('a');
    expect(detectProfile()).toBe('production');
  });

  it('P09 refuses an unknown name', () => {
    expect(() => pick({ prod: 1, nonprod: 2 }, { APP_ENV: 'qa' })).toThrow('APP_ENV is "qa"');
  });
});
