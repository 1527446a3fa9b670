import type { RecordingLogger } from './recording-logger.js';

/** The boot table in the log: option → value and origin. */
export function readBootTable(logger: RecordingLogger): Map<string, string> {
  const tables = logger.at('log').filter((text) => text.startsWith('Limits in force\n'));
  if (tables.length !== 1) throw new Error(`${tables.length} boot tables in the log`);
  const [, ...lines] = tables[0]!.replace(/ Timeouts$/, '').split('\n');
  return new Map(
    lines.map((line) => {
      const [option = '', ...rest] = line.split(/ {2,}/);
      return [option, rest.join(' ')];
    }),
  );
}
