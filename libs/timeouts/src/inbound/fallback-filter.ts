import type { ExceptionFilter } from '@nestjs/common';
import type { ApplicationConfig, ModulesContainer } from '@nestjs/core';

/**
 * Adds a global exception filter that every filter of the application goes before. The filter that
 * was added last is asked first, and `APP_FILTER` would add ours after those of the root module.
 */
export function addFallbackFilter(modules: ModulesContainer, filter: ExceptionFilter): void {
  const [anyModule] = modules.values();
  const { container } = anyModule as unknown as {
    container: { applicationConfig: ApplicationConfig };
  };
  container.applicationConfig.getGlobalFilters().unshift(filter);
}
