const assert = require('node:assert');

/** The smallest app there is, from the modules it is given: one request, and its end. */
exports.bootAndAsk = async function bootAndAsk({ Controller, Get, Module }, { NestFactory }, ours) {
  class Budget {
    read() {
      return { budgetMs: ours.currentScope().budgetMs() };
    }
  }
  Get()(Budget.prototype, 'read', Object.getOwnPropertyDescriptor(Budget.prototype, 'read'));
  Controller('budget')(Budget);

  class App {}
  Module({ imports: [ours.TimeoutsModule.forRoot()], controllers: [Budget] })(App);

  const app = await NestFactory.create(App, { logger: ['error'], abortOnError: false });
  await app.listen(0, '127.0.0.1');
  const answer = await fetch(`${await app.getUrl()}/budget`);
  assert.equal(answer.status, 200);
  const { budgetMs } = await answer.json();
  assert(budgetMs > 0, `a request has a budget of ${budgetMs}`);
  await app.close();
};
