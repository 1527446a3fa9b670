import type { DataSource, QueryRunner } from 'typeorm';
import { CancelledError } from '../core/errors.js';
import { limitBehind } from '../core/limit-errors.js';
import { hasEngine } from './data-source-kind.js';

type Query = QueryRunner['query'];

/**
 * Has queries reject with our errors, and not with what TypeORM makes of them: the driver cannot see
 * to that. Whatever TypeORM runs, it runs by a query runner from here.
 */
export function adaptQueryRunners(dataSource: DataSource): void {
  const { createQueryRunner } = dataSource;
  dataSource.createQueryRunner = function (this: DataSource, mode) {
    const runner = createQueryRunner.call(this, mode);
    if (hasEngine(this)) runner.query = queryAsOurs;
    return runner;
  };
}

/** Wrapped, nobody could tell that it is a cancellation. What TypeORM made is the `cause` of a limit. */
const queryAsOurs = async function (this: QueryRunner, ...args: Parameters<Query>) {
  const { query } = Object.getPrototypeOf(this) as QueryRunner;
  try {
    return await query.apply(this, args);
  } catch (error) {
    const { driverError } = error as { driverError?: unknown };
    throw limitBehind(error) ?? (driverError instanceof CancelledError ? driverError : error);
  }
} as Query;
