const assert = require('node:assert');

const names = Object.keys(require(process.argv[2]));
assert(names.length > 0, 'exports nothing');
