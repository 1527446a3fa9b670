import { afterEach } from '@jest/globals';

/** Sets variables of the environment until the test is over. */
export function useEnvironment(): (variables: Readonly<Record<string, string>>) => void {
  const changed = new Map<string, string | undefined>();
  afterEach(() => {
    for (const [name, value] of changed) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    changed.clear();
  });
  return (variables) => {
    for (const [name, value] of Object.entries(variables)) {
      if (!changed.has(name)) changed.set(name, process.env[name]);
      process.env[name] = value;
    }
  };
}
