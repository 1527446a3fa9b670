import { afterAll, beforeAll } from '@jest/globals';
import { setTimeout } from 'node:timers';

// Jest gives tests a copy of `process` on which nothing is ever emitted. Functions of Node's own
// modules belong to the realm of the real one.
const realProcess = setTimeout.constructor('return process')() as NodeJS.Process;

/**
 * The warnings of the process while the surrounding tests run. Unhandled rejections and uncaught
 * exceptions need no watching: Jest fails the test they come up in.
 */
export function watchProcess(): string[] {
  const warnings: string[] = [];
  const note = (warning: Error) => {
    // Jest's own: it runs ES modules.
    if (warning.name !== 'ExperimentalWarning') warnings.push(warning.stack ?? String(warning));
  };
  beforeAll(() => void realProcess.on('warning', note));
  afterAll(() => void realProcess.off('warning', note));
  return warnings;
}
