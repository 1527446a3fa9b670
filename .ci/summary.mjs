// The last line of a run: Jest's numbers, and one more failure for every other step that failed.
import { readFileSync } from 'node:fs';

const [report, ...failedSteps] = process.argv.slice(2);
const text = readFileSync(report, 'utf8');
const tests = text === '' ? {} : JSON.parse(text);
const { numPassedTests = 0, numFailedTests = 0, numRuntimeErrorTestSuites = 0 } = tests;

const failedTests = numFailedTests + numRuntimeErrorTestSuites;
const alreadyCounted = (step) => step === 'test' && failedTests > 0;
const failed = failedTests + failedSteps.filter((step) => !alreadyCounted(step)).length;

console.log(`${numPassedTests} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
