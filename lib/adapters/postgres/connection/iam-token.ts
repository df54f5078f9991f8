/**
 * Login tokens of RDS in place of a password: an address signed with the function's own credentials, good for one role
 * on one host, for 15 minutes. Signing needs no network when the credentials are in the environment, as on Lambda.
 *
 * Whether the role may log in is decided by the server at the login, not here. The host must be the instance's, the
 * cluster's or the proxy's own name: a token for another name of the same server is refused there.
 */

import { Signer, type SignerConfig } from '@aws-sdk/rds-signer';
import { CrossfadeError } from '../../../core/base/errors.ts';
import { MINUTE_MS } from '../../../core/base/units.ts';
import type { Clock } from '../../../ports/machine.ts';
import { parseAddress } from './address.ts';

export type TokenOptions = {
  /** Without a password. */
  url: string;
  region: string;
  clock: Pick<Clock, 'monotonicMs'> & Partial<Pick<Clock, 'now'>>;
  /** Of the function's role unless given. */
  credentials?: SignerConfig['credentials'];
};

/** A third less than the server accepts: a login is never under way with a token that is about to end. */
const REUSED_FOR_MS = 10 * MINUTE_MS;

/**
 * The token of the moment; a new one is signed when the last one is ten minutes old.
 * @throws CrossfadeError `invalid_config` at once when the address names no single host and role; the returned function
 *   `access_denied` when nothing can be signed
 */
export function iamToken(options: TokenOptions): () => Promise<string> {
  const { hostname, port, username } = addressOf(options.url);
  const { region, credentials, clock } = options;
  const signer = new Signer({ hostname, port, username, region, ...(credentials ? { credentials } : {}) });
  const moment = () => ({ now: clock.now?.() ?? 0, monotonicMs: clock.monotonicMs() });
  let last: { token: string; at: ReturnType<typeof moment> } | null = null;
  return async () => {
    const at = moment();
    if (last && Math.max(at.now - last.at.now, at.monotonicMs - last.at.monotonicMs) < REUSED_FOR_MS) return last.token;
    try {
      last = { token: await signer.getAuthToken(), at };
      return last.token;
    } catch (error) {
      throw unsigned(`${username} at ${hostname}:${port}`, error);
    }
  };
}

function addressOf(url: string): { hostname: string; port: number; username: string } {
  const { hosts, user } = parseAddress(url);
  const [only] = hosts;
  if (only && hosts.length === 1 && !only.host.startsWith('/') && user)
    return { hostname: only.host, port: only.port, username: user };
  throw new CrossfadeError(
    'invalid_config',
    'A login token is signed for one role on one host, and the address of the database does not name both. It looks like postgres://crossfade_runtime@HOST:5432/database, without a password.',
  );
}

/** The vendor's message speaks of where credentials were looked for; only the kind of failure is repeated. */
function unsigned(who: string, error: unknown): CrossfadeError {
  const seen = error instanceof Error ? error.name : 'an unknown failure';
  return new CrossfadeError(
    'access_denied',
    `No login token could be signed for ${who}: ${seen}. The function needs credentials of its role, with rds-db:connect for this database role; elsewhere put a password into the address.`,
    { details: { seen } },
  );
}
