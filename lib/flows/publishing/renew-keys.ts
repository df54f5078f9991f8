/** Keeps what the issuer of tokens publishes where the functions beside the database find it. */

import type { IssuerKeys } from '../../ports/issuer-keys.ts';
import type { Ports } from '../../ports/ports.ts';

/** @param ports `issuerKeys` is null where there is no issuer to ask. Does not reject: those kept last go on */
export async function renewKeys({
  issuerKeys,
  log,
}: Pick<Ports, 'log'> & { issuerKeys: IssuerKeys | null }): Promise<void> {
  if (!issuerKeys) return;
  try {
    const [published, kept] = await Promise.all([issuerKeys.published(), issuerKeys.kept()]);
    if (kept?.url === published.url && kept.document === published.document) return;
    await issuerKeys.keep(published);
    log.event('keys_renewed', { issuer: published.url });
  } catch (error) {
    log.failure('keys_not_renewed', error);
  }
}
