import type { ExecutionContext } from '@nestjs/common';
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js';
import type { RoutePolicy } from '../policy/route-policy.js';
import type { RouteTarget } from './route-target.js';
import { targetOf } from './route-target.js';

/** A route as it was registered. */
export class Route {
  /** For outcomes: `GET /v1/orders`. */
  readonly name: string;
  readonly target: RouteTarget | undefined;
  readonly policy: RoutePolicy;

  constructor(
    readonly verb: string,
    readonly path: string,
    /** As it was given to the adapter. */
    readonly handler: Function,
    defaults: RoutePolicy,
  ) {
    this.name = `${verb.toUpperCase()} ${path}`;
    this.target = targetOf(handler);
    this.policy = this.target?.policy ?? defaults;
  }

  /** For a policy that is a function, which only a target has. */
  contextOf(req: unknown, res: unknown, next: unknown): ExecutionContext {
    const { controller, handler } = this.target!;
    return new ExecutionContextHost(
      [req, res, next],
      controller as ConstructorParameters<typeof ExecutionContextHost>[1],
      handler as ConstructorParameters<typeof ExecutionContextHost>[2],
    );
  }
}
