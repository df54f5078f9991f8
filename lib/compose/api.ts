/**
 * The composition of functions that answer callers: the one that all functions have, and who may call. Schedules and streams
 * have no callers, so their packages carry no verifier of tokens.
 */

import type { Scope } from '../adapters/http/token.ts';
import { environment } from '../adapters/system.ts';
import { readEnvironment } from '../schemas/environment.ts';
import { type Composition, compose, once } from './ports.ts';

export type ApiComposition = Composition & {
  /** Subject of the bearer token. @throws CrossfadeError `unauthenticated`, `forbidden` */
  authenticate(header: string | undefined, scope: Scope): Promise<string>;
};

/** @throws CrossfadeError `invalid_config` naming every missing or wrong variable */
export function composeApi(variables = environment()): ApiComposition {
  const env = readEnvironment(variables);
  const composition = compose(variables, env);
  const { realNow } = composition;
  const keys = once(async () => {
    const { signingKeys } = await import('../adapters/http/signing-keys.ts');
    const { CROSSFADE_JWKS: configured = null, CROSSFADE_JWT_ISSUER: issuer, CROSSFADE_PROFILE: profile } = env;
    return signingKeys({ configured, issuer: profile === 'local' && configured ? null : issuer, nowMs: realNow });
  });
  return {
    ...composition,
    async authenticate(header, scope) {
      const { authenticate } = await import('../adapters/http/authenticate.ts');
      const rules = { issuer: env.CROSSFADE_JWT_ISSUER, audience: env.CROSSFADE_JWT_AUDIENCE };
      return authenticate(header, scope, { keys: await keys(), rules, realNowMs: realNow() });
    },
  };
}
