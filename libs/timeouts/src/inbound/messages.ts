import type { ModulesContainer } from '@nestjs/core';
import type { ScopeNode } from '../core/scope-node.js';
import { defaultRoutePolicy } from '../policy/route-policy.js';
import type { ResolvedOptions } from '../policy/timeouts-options.js';
import type { GatewayServer } from './gateway-clients.js';
import { sayFarewell } from './gateway-clients.js';
import { addGatewayHandler } from './gateway-message.js';
import { hearServersOf } from './gateway-servers.js';
import { loadException } from './message-answer.js';
import type { MessageHandlers } from './message-handlers.js';
import { boundMessageHandlers, describe } from './message-handlers.js';
import { resolvePolicies } from './resolve-policies.js';
import type { RpcServer } from './rpc-server.js';
import { drainBeforeTransport, RpcMessages } from './rpc-server.js';

/** What messages need of their application. */
export interface MessageApplication {
  readonly modules: ModulesContainer;
  readonly options: ResolvedOptions;
  /** What has to be over before a transport is closed; undefined where somebody else sees to it. */
  drainFirst(): Promise<void> | undefined;
}

/**
 * Bounds the handlers of messages. To be called while providers are made: `connectMicroservice` and
 * the registration of gateways both come before `configure`.
 * @throws TimeoutsConfigurationError listing every marker that cannot work.
 */
export function findMessageHandlers(
  modules: ModulesContainer,
  options: ResolvedOptions,
): MessageHandlers {
  return resolvePolicies(options, (resolvePolicy) => boundMessageHandlers(modules, resolvePolicy));
}

/** Puts the messages of microservices and gateways under the limits of an application. */
export class Messages {
  readonly #root: ScopeNode;
  readonly #servers = new Set<GatewayServer>();
  readonly #unhear: (() => void)[];

  constructor(
    root: ScopeNode,
    { ofServices, ofGateways, gateways }: MessageHandlers,
    { modules, options, drainFirst }: MessageApplication,
  ) {
    this.#root = root;
    const defaults = defaultRoutePolicy(options);
    modules.getRpcTargetRegistry<RpcServer>().subscribe((server) => {
      loadException('rpc');
      RpcMessages.watch(root, server, ofServices, defaults);
      drainBeforeTransport(server, async () => drainFirst());
    });
    if (gateways.length > 0) loadException('ws');
    for (const { method, patterns, policy } of ofGateways) {
      addGatewayHandler(method, { root, name: `ws ${patterns.map(describe).join(' ')}`, policy });
    }
    this.#unhear = gateways.map((gateway) =>
      hearServersOf(gateway, (instance, server) => {
        if (owns(modules, instance)) this.#servers.add(server);
      }),
    );
  }

  /** Ends the connections of gateways: whoever is still there has nothing in flight. */
  async endConnections(): Promise<void> {
    for (const unhear of this.#unhear) unhear();
    await sayFarewell(this.#servers, this.#root.tree.clock);
  }
}

/** A class may be a gateway of several applications in one process. */
function owns(modules: ModulesContainer, gateway: object): boolean {
  for (const { providers } of modules.values()) {
    for (const { instance } of providers.values()) if (instance === gateway) return true;
  }
  return false;
}
