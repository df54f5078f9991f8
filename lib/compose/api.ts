/**
 * The composition of functions that answer callers: the one that all functions have, and who may call. Schedules and streams
 * have no callers, so their packages carry no verifier of tokens.
 */

import type { Caller } from '../adapters/http/authenticate.ts';
import type { Scope } from '../adapters/http/token.ts';
import { environment } from '../adapters/system.ts';
import { readEnvironment } from '../schemas/environment.ts';
import { type Composition, compose, once } from './ports.ts';
import { tokenRules } from './token-rules.ts';

export type ApiComposition = Composition & {
  /** Subject of the bearer token, or ARN behind IAM. @throws CrossfadeError `unauthenticated`, `forbidden` */
  authenticate(caller: Caller, scope: Scope): Promise<string>;
};

/** @throws CrossfadeError `invalid_config` naming every missing or wrong variable */
export function composeApi(variables = environment()): ApiComposition {
  const env = readEnvironment(variables);
  const composition = compose(variables, env);
  const { realNow } = composition;
  const keys = once(async () => {
    const { signingKeys } = await import('../adapters/http/signing-keys.ts');
    const { CROSSFADE_JWKS: configured = null, CROSSFADE_JWT_ISSUER: issuer, CROSSFADE_PROFILE: profile } = env;
    const asked = profile === 'local' && configured ? null : (issuer ?? null);
    return signingKeys({ configured, issuer: asked, url: env.CROSSFADE_JWKS_URL, nowMs: realNow });
  });
  return {
    ...composition,
    async authenticate(caller, scope) {
      const { authenticate, iamCaller } = await import('../adapters/http/authenticate.ts');
      if (env.CROSSFADE_ACCESS === 'iam') return iamCaller(caller);
      return authenticate(caller.token, scope, { keys: await keys(), rules: tokenRules(env), realNowMs: realNow() });
    },
  };
}
