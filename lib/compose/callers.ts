/**
 * What functions that answer callers have beside the ports of all: who may call. Where only schedules and streams come there are no
 * callers: such packages carry no verifier of tokens.
 */

import type { Caller } from '../adapters/http/authenticate.ts';
import type { Scope } from '../adapters/http/scopes.ts';
import type { KeySource } from '../adapters/http/signing-keys.ts';
import type { CutoverDeclaration } from '../core/cutover/cutover.ts';
import type { HandedRehearsal } from '../core/holds/rehearsal.ts';
import { type Environment, readEnvironment } from '../schemas/environment.ts';
import { type Composition, compose, once } from './ports.ts';
import { askedIssuer, tokenRules } from './token-rules.ts';

export type ApiComposition = Composition & {
  /** Subject of the bearer token, or ARN behind IAM. @throws CrossfadeError `unauthenticated`, `forbidden` */
  authenticate(caller: Caller, scope: Scope): Promise<string>;
  /**
   * What the signed report of a rehearsal says, beside the hash of the declaration that is to start.
   * @throws CrossfadeError `invalid_input` when it was changed since it was signed
   */
  rehearsal(signed: string, declaration: CutoverDeclaration): Promise<HandedRehearsal>;
};

/** How a function gets at what the issuer publishes. */
type WayToIssuer = (env: Environment) => Promise<Pick<KeySource, 'ask' | 'cooldownMs'>>;

/** @throws CrossfadeError `invalid_config` naming every missing or wrong variable */
export function composeForCallers(
  variables: Readonly<Record<string, string | undefined>>,
  wayToIssuer: WayToIssuer,
): ApiComposition {
  const env = readEnvironment(variables);
  const composition = compose(variables, env);
  const { realNow } = composition;
  const tokens = once(async () => {
    const [{ signingKeys }, { verifier }] = await Promise.all([
      import('../adapters/http/signing-keys.ts'),
      import('../adapters/http/verifier.ts'),
    ]);
    const keys = signingKeys({
      ...(await wayToIssuer(env)),
      configured: env.CROSSFADE_JWKS ?? null,
      issuer: askedIssuer(env),
      url: env.CROSSFADE_JWKS_URL,
      nowMs: realNow,
    });
    return verifier(keys, tokenRules(env));
  });
  return {
    ...composition,
    async authenticate(caller, scope) {
      const { authenticate, iamCaller } = await import('../adapters/http/authenticate.ts');
      if (env.CROSSFADE_ACCESS === 'iam') return iamCaller(caller);
      return authenticate(caller.token, scope, await tokens(), realNow());
    },
    async rehearsal(signed, declaration) {
      const { handedRehearsal } = await import('../adapters/http/rehearsal-token.ts');
      return handedRehearsal(signed, declaration);
    },
  };
}
