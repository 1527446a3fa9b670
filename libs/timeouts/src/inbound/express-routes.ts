import { HOST_METADATA } from '@nestjs/common/internal';
import type { IncomingMessage } from 'node:http';
import type { FoundRoute, RouteFinder } from './early-routes.js';
import type { HttpExchange } from './http-exchange.js';
import type { Route } from './route.js';
import { versionFilterOf } from './version-filter.js';

type Match = false | true | { readonly params: object };

interface LayerType {
  new (path: string | RegExp, options: object, handle: () => void): Layer;
}

/** A path of Express's router, compiled. */
interface Layer {
  readonly constructor: Function;
  readonly route?: unknown;
  readonly params?: object;
  match(path: string): Match;
}

/** What is used of an Express application. */
export interface ExpressRouting {
  readonly router?: { readonly stack?: Layer[] };
}

interface ExpressRequest extends IncomingMessage {
  readonly baseUrl?: string;
  readonly hostname?: string;
}

interface Known {
  readonly route: Route;
  readonly layer: Layer;
  /** Of a controller that is limited to some. */
  readonly hosts: readonly Layer[] | undefined;
}

/**
 * Express routes a request only once all middleware and the body parser are done with it. Its routes
 * are asked in their order here, each by the matcher that Express compiled for it. Middleware that
 * answers a request, or gives it another URL, is not foreseen.
 */
export class ExpressRoutes implements RouteFinder {
  readonly #known: Known[] = [];
  #isForeign = false;

  /** @param onForeign told once when this Express has no router to ask, and that makes a difference. */
  constructor(
    private readonly express: ExpressRouting,
    private onForeign: (() => void) | undefined,
  ) {}

  register(route: Route, register: () => unknown): unknown {
    const registered = register();
    const layer = lastLayer(this.express);
    if (layer) this.#known.push({ route, layer, hosts: hostsOf(route, layer) });
    else this.#missed(route);
    return registered;
  }

  #missed({ policy }: Route): void {
    this.#isForeign = true;
    if (!policy.custom) return;
    this.onForeign?.();
    this.onForeign = undefined;
  }

  find({ req, res }: HttpExchange): FoundRoute | undefined {
    // Without those that are missing, another route could take the place of the right one.
    if (this.#isForeign) return undefined;
    const path = pathOf(req);
    for (const { route, layer, hosts } of this.#known) {
      if (!handles(route.verb, req.method!)) continue;
      const match = layer.match(path);
      if (!match || (hosts && !isFor(hosts, req))) continue;
      const isVersion = versionFilterOf(route.handler);
      if (isVersion && !isVersion(req, res)) continue;
      // Before 2.3 the router kept the parameters on the layer.
      return { route, params: match === true ? layer.params : match.params };
    }
    return undefined;
  }
}

function lastLayer(express: ExpressRouting): Layer | undefined {
  try {
    const layer = express.router?.stack?.at(-1);
    return layer?.route && typeof layer.match === 'function' ? layer : undefined;
  } catch {
    // Express 4 throws when it is asked for its router.
    return undefined;
  }
}

function handles(verb: string, method: string): boolean {
  const asked = method.toLowerCase();
  return verb === asked || verb === 'all' || (verb === 'get' && asked === 'head');
}

/** Without the path that Express takes off while mounted middleware runs. */
function pathOf({ url, baseUrl = '' }: ExpressRequest): string {
  const [path] = url!.replace(ORIGIN, '').split(/[?#]/, 1);
  return baseUrl + path!;
}

/** What goes before the path in a request that is sent through a proxy. */
const ORIGIN = /^[a-z][a-z\d+.-]*:\/\/[^/?#]*/i;

/** Nest compiles hosts with the same library, and the same options, as Express does paths. */
function hostsOf({ target }: Route, { constructor }: Layer): Layer[] | undefined {
  const declared: unknown = target && Reflect.getMetadata(HOST_METADATA, target.controller);
  if (!declared) return undefined;
  const hosts = [declared].flat() as (string | RegExp)[];
  return hosts.map(
    (host) => new (constructor as unknown as LayerType)(host, { end: true }, ignore),
  );
}

function isFor(hosts: readonly Layer[], { hostname = '' }: ExpressRequest): boolean {
  return hosts.some((host) => host.match(hostname));
}

function ignore(): void {}
