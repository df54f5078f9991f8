/** What the gateway has beside the ports of all functions: the flags of a reader, from the agent beside it. */

import { environment } from '../adapters/system.ts';
import type { Ports } from '../ports/ports.ts';
import type { Router } from '../routing/service.ts';
import { type Environment, readEnvironment } from '../schemas/environment.ts';
import { type Composition, once } from './ports.ts';

export function withRouter<C extends Composition>(composition: C, variables = environment()): C {
  const env = readEnvironment(variables);
  return { ...composition, router: once(() => lateRouter(env, composition.ports)) };
}

async function lateRouter(env: Environment, { clock, metrics }: Pick<Ports, 'clock' | 'metrics'>): Promise<Router> {
  const { routingService } = await import('../routing/service.ts');
  return routingService({
    source: await flagSource(env),
    environment: environment(),
    elapsedMs: clock.monotonicMs,
    refused: () => metrics.record('FlagsInvalid', 1),
  });
}

/** The agent's local port when there is one; on AWS its extension listens on 2772 beside the function. */
async function flagSource(env: Environment) {
  const { agentSource } = await import('../routing/agent-source.ts');
  return agentSource({
    url: env.CROSSFADE_APPCONFIG_ENDPOINT ?? 'http://127.0.0.1:2772',
    // The emulator answers with what is deployed.
    ...(env.CROSSFADE_APPCONFIG_ENDPOINT ? { pollMs: 0 } : {}),
    application: env.CROSSFADE_APPCONFIG_APPLICATION,
    environment: env.CROSSFADE_APPCONFIG_ENVIRONMENT,
    profile: env.CROSSFADE_APPCONFIG_PROFILE,
  });
}
