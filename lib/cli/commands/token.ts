/** A token for an application that is tried against the local stack, which is its own issuer. */

import { CrossfadeError } from '../../core/base/errors.ts';
import { APPLICATION_SCOPES, mintToken } from '../connection.ts';
import { type Context, type Outcome, openApi } from '../context.ts';

const HOURS = 12;

/** @throws CrossfadeError `invalid_input` for another Crossfade than the local one, and for a scope that there is not */
export async function token(context: Context): Promise<Outcome> {
  const { io, options } = context;
  const { settings } = openApi(context).connection;
  if (!settings) {
    throw new CrossfadeError(
      'invalid_input',
      'Only the local stack signs tokens. For another Crossfade ask the issuer that it was deployed with.',
    );
  }
  const scopes = options.scopes?.split(/[\s,]+/).filter(Boolean) ?? [...APPLICATION_SCOPES];
  const { hours = HOURS } = options;
  const minted = mintToken(settings, { sub: `local:${io.user()}`, scopes, nowMs: io.nowMs(), seconds: hours * 3_600 });
  return { document: { token: minted, scopes, hours }, text: minted };
}
