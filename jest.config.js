// `npm test` runs Jest as ESM. A bare `npx jest` lacks the flag that needs, so the ESM-only
// packages are compiled to CommonJS for it instead.
const esm = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].some((flags) =>
  flags.includes('--experimental-vm-modules'),
);

const swc = {
  jsc: {
    parser: { syntax: 'typescript', decorators: true },
    transform: { legacyDecorator: true, decoratorMetadata: true },
    keepClassNames: true,
    target: 'es2022',
  },
  module: { type: esm ? 'es6' : 'commonjs' },
  sourceMaps: 'inline',
};

const esmOnly = [
  '@nestjs',
  'file-type',
  'strtok3',
  'token-types',
  '@tokenizer',
  '@borewit',
  'uint8array-extras',
];

/** @type {import('jest').Config} */
export default {
  testEnvironment: 'node',
  roots: ['<rootDir>/libs', '<rootDir>/apps', '<rootDir>/test'],
  testMatch: ['**/*.spec.ts', '**/*.e2e-spec.ts'],
  setupFiles: ['reflect-metadata'],
  modulePathIgnorePatterns: ['<rootDir>/dist', '<rootDir>/libs/.*/dist'],
  moduleNameMapper: {
    '^(\\.{1,2}/.*)\\.js$': '$1',
    '^nestjs-timeouts$': '<rootDir>/libs/timeouts/src/index.ts',
    '^nestjs-timeouts/(.*)$': '<rootDir>/libs/timeouts/src/$1/index.ts',
  },
  ...(esm
    ? { extensionsToTreatAsEsm: ['.ts'], transform: { '^.+\\.ts$': ['@swc/jest', swc] } }
    : {
        transform: { '^.+\\.(ts|js)$': ['@swc/jest', swc] },
        transformIgnorePatterns: [`/node_modules/(?!(${esmOnly.join('|')})/)`],
      }),
  // Most of the time goes by in waiting for limits, also where there are only two cores.
  maxWorkers: 3,
  testTimeout: 20_000,
};
