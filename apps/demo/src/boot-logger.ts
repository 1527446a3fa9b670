import { ConsoleLogger } from '@nestjs/common';

/* Sixty lines of routes would bury the table of limits; `main.ts` reports what fails at boot. */
const UNHEARD = new Set(['InstanceLoader', 'RoutesResolver', 'RouterExplorer', 'ExceptionHandler']);

export class BootLogger extends ConsoleLogger {
  override log(message: unknown, ...rest: unknown[]): void {
    if (!UNHEARD.has(String(rest.at(-1)))) super.log(message, ...rest);
  }

  override error(message: unknown, ...rest: unknown[]): void {
    if (!UNHEARD.has(String(rest.at(-1)))) super.error(message, ...rest);
  }
}
