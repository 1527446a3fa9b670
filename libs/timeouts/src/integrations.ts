import type { Logger } from '@nestjs/common';
import type { DiscoveryService } from '@nestjs/core';
import type { InstanceWrapper } from '@nestjs/core/injector/instance-wrapper.js';
import type { TimeoutsMonitor } from './inbound/timeouts-monitor.js';

const DATA_SOURCE = Symbol.for('DataSource');

/** What is asked of a TypeORM data source before anything of TypeORM is loaded. */
interface DataSourceLike {
  readonly options: { readonly type: string };
}

/**
 * Covers what the application has besides Nest: the TypeORM data sources among its providers. The
 * code for it is loaded only where it is needed, so that nobody has to install what they do not use.
 */
export async function coverIntegrations(
  discovery: DiscoveryService,
  monitor: TimeoutsMonitor,
  logger: Logger,
): Promise<void> {
  for (const [dataSource, name] of dataSourcesOf(discovery)) {
    const { type } = dataSource.options;
    if (type !== 'postgres') {
      logger.debug(`DataSource "${name}" (${type}): statement timeouts are for PostgreSQL only`);
      continue;
    }
    const { coverDataSource } = await import('./typeorm/data-sources.js');
    const cover = coverDataSource(dataSource as Parameters<typeof coverDataSource>[0], name);
    monitor.watchPool(cover.readPool);
    if (cover.isWhole) logger.log(cover.line);
    else logger.warn(cover.line);
  }
}

/** Each once: a data source may be provided under several tokens. */
function dataSourcesOf(discovery: DiscoveryService): Map<DataSourceLike, string> {
  const found = new Map<DataSourceLike, string>();
  for (const provider of discovery.getProviders()) {
    if (!provider.isDependencyTreeStatic()) continue;
    const { instance } = provider as { instance: unknown };
    if (isDataSource(instance) && !found.has(instance)) found.set(instance, nameOf(provider));
  }
  return found;
}

/** As TypeORM itself tells them, across copies of it. A provider may be a proxy that refuses. */
function isDataSource(instance: unknown): instance is DataSourceLike {
  if (typeof instance !== 'object' || instance === null) return false;
  try {
    const mark = Object.getOwnPropertyDescriptor(instance, '@instanceof')?.value as unknown;
    return mark === DATA_SOURCE;
  } catch {
    return false;
  }
}

/** The token of a named data source is `<name>DataSource`, that of the default one is its class. */
function nameOf({ token }: InstanceWrapper): string {
  if (typeof token === 'function') return 'default';
  const name = typeof token === 'symbol' ? (token.description ?? 'unnamed') : String(token);
  return name.replace(/(?<=.)DataSource$/, '');
}
