/**
 * The composition of functions that answer callers beside the database: they have no way to the issuer of tokens, and read what the
 * publisher keeps of its keys. It does so every minute.
 */

import { environment } from '../adapters/system.ts';
import { CrossfadeError } from '../core/base/errors.ts';
import { type ApiComposition, composeForCallers } from './callers.ts';
import { dynamoOf, once } from './ports.ts';

/** A question costs half a read unit. */
const COOLDOWN_MS = 5_000;

/** @throws CrossfadeError `invalid_config` naming every missing or wrong variable */
export const composeInside = (variables = environment()): ApiComposition =>
  composeForCallers(variables, async (env) => {
    const store = once(async () => {
      const { dynamoIssuerKeys } = await import('../adapters/dynamodb/issuer-keys.ts');
      return dynamoIssuerKeys({ client: await dynamoOf(env), tableName: env.CROSSFADE_STATE_TABLE });
    });
    return {
      cooldownMs: COOLDOWN_MS,
      async ask(url) {
        const kept = await (await store()).kept();
        // What is kept of another issuer is of an earlier deployment.
        if (kept?.url === url.href) return kept.document;
        throw new CrossfadeError(
          'unauthenticated',
          `The publisher has kept no keys of ${url.href} yet. It does so every minute; its log says why it could not.`,
          { retryable: true },
        );
      },
    };
  });
