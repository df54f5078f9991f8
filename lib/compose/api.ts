/** The composition of functions that answer callers outside of the database's network: they ask the issuer of tokens themselves. */

import { environment } from '../adapters/system.ts';
import { type ApiComposition, composeForCallers } from './callers.ts';

/** @throws CrossfadeError `invalid_config` naming every missing or wrong variable */
export const composeApi = (variables = environment()): ApiComposition =>
  composeForCallers(variables, async () => {
    const { askIssuer } = await import('../adapters/http/issuer.ts');
    return { ask: askIssuer };
  });
