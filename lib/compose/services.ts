/** What the gateway and the shadow-writer have beside the ports of all functions: the way to upstreams of services. */

import { environment } from '../adapters/system.ts';
import type { Ports } from '../ports/ports.ts';
import { readEnvironment } from '../schemas/environment.ts';
import { type Composition, once } from './ports.ts';

export function withServices<C extends Composition>(composition: C, variables = environment()): C {
  const env = readEnvironment(variables);
  const { ports } = composition;
  const upstream = once(async () => {
    const { httpUpstream } = await import('../adapters/http/upstream.ts');
    return httpUpstream({ clock: ports.clock, profile: env.CROSSFADE_PROFILE });
  });
  const delivering = once(async () => {
    const { forwardDelivery } = await import('../adapters/http/deliver-forward.ts');
    return forwardDelivery(await upstream());
  });
  const deliver: Ports['deliver'] = async (...delivery) => (await delivering())(...delivery);
  return { ...composition, ports: { ...ports, deliver }, upstream };
}
