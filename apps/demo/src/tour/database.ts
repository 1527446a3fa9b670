import { Client } from 'pg';

/** A look at PostgreSQL from outside the API. */
export class Database {
  readonly #url: string;

  constructor(url: string) {
    this.#url = url;
  }

  /** What the API's connections are executing right now. */
  async running(): Promise<string[]> {
    const client = new Client({ connectionString: this.#url });
    await client.connect();
    try {
      const { rows } = await client.query<{ query: string }>(
        `SELECT query FROM pg_stat_activity
         WHERE application_name = 'answers-api' AND state = 'active'`,
      );
      return rows.map(({ query }) => query);
    } finally {
      await client.end();
    }
  }
}
