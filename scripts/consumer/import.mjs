import assert from 'node:assert';

const names = Object.keys(await import(process.argv[2]));
assert(names.length > 0, 'exports nothing');
