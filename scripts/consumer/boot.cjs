require('reflect-metadata');
const { bootAndAsk } = require('./budget-app.cjs');

void bootAndAsk(require('@nestjs/common'), require('@nestjs/core'), require('nestjs-timeouts'));
