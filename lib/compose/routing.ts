/**
 * The composition of the routing function alone. It answers other programs while they serve requests, so it must start
 * fast: no AWS client, no validation library; logger and figures are loaded with the first line or figure.
 */

import { authenticate, type Caller, iamCaller } from '../adapters/http/authenticate.ts';
import { askIssuer } from '../adapters/http/issuer.ts';
import type { Scope } from '../adapters/http/scopes.ts';
import { signingKeys } from '../adapters/http/signing-keys.ts';
import { verifier } from '../adapters/http/verifier.ts';
import { environment, realNow, systemClock } from '../adapters/system.ts';
import { CrossfadeError } from '../core/base/errors.ts';
import type { Metrics } from '../ports/machine.ts';
import type { Ports } from '../ports/ports.ts';
import { agentSource } from '../routing/agent-source.ts';
import { type Router, routingService } from '../routing/service.ts';
import { lateLog } from './late-log.ts';
import { tokenRules } from './token-rules.ts';

export type RoutingComposition = {
  ports: Pick<Ports, 'clock' | 'log' | 'metrics'>;
  authenticate(caller: Caller, scope: Scope): Promise<string>;
  router: Router;
};

const FOR_TOKENS = ['CROSSFADE_JWT_ISSUER', 'CROSSFADE_JWT_AUDIENCE'] as const;
const NEEDED = [
  'CROSSFADE_APPCONFIG_APPLICATION',
  'CROSSFADE_APPCONFIG_ENVIRONMENT',
  'CROSSFADE_APPCONFIG_PROFILE',
] as const;

/** @throws CrossfadeError `invalid_config` naming every missing variable */
export function composeRouting(variables = environment()): RoutingComposition {
  const isIam = variables.CROSSFADE_ACCESS === 'iam';
  const missing = [...NEEDED, ...(isIam ? [] : FOR_TOKENS)].filter((name) => !variables[name]);
  if (missing.length > 0) {
    throw new CrossfadeError(
      'invalid_config',
      `The environment of the routing function lacks ${missing.join(', ')}. serverless.yml sets them.`,
    );
  }
  const value = (name: (typeof NEEDED)[number]) => variables[name]!;
  const clock = systemClock();
  const rules = tokenRules(variables);
  const issuer = variables.CROSSFADE_PROFILE === 'local' || isIam ? null : rules.issuer;
  const configured = variables.CROSSFADE_JWKS || null;
  const url = variables.CROSSFADE_JWKS_URL || undefined;
  const tokens = verifier(signingKeys({ configured, issuer, url, nowMs: realNow, ask: askIssuer }), rules);
  const source = agentSource({
    // The agent's own port beside a deployed function; the emulator serves the same path.
    url: variables.CROSSFADE_APPCONFIG_ENDPOINT || 'http://127.0.0.1:2772',
    // The emulator answers with what is deployed.
    ...(variables.CROSSFADE_APPCONFIG_ENDPOINT ? { pollMs: 0 } : {}),
    application: value('CROSSFADE_APPCONFIG_APPLICATION'),
    environment: value('CROSSFADE_APPCONFIG_ENVIRONMENT'),
    profile: value('CROSSFADE_APPCONFIG_PROFILE'),
  });
  const metrics = lateMetrics();
  return {
    ports: { clock, log: lateLog(() => metrics.record('Failures', 1)), metrics },
    authenticate: async (caller, scope) =>
      isIam ? iamCaller(caller) : authenticate(caller.token, scope, tokens, realNow()),
    router: routingService({
      source,
      environment: variables,
      elapsedMs: clock.monotonicMs,
      refused: () => metrics.record('FlagsInvalid', 1),
    }),
  };
}

/** Figures of this function are rare, so each is sent at once. */
function lateMetrics(): Metrics {
  const late = async (use: (metrics: Metrics) => void) => {
    const { cloudWatchMetrics } = await import('../adapters/powertools/metrics.ts');
    use(cloudWatchMetrics());
  };
  return {
    record: (name, value) =>
      void late((metrics) => {
        metrics.record(name, value);
        metrics.flush();
      }),
    flush: () => {},
  };
}
