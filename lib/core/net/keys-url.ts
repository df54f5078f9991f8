/** Where an issuer of tokens publishes its keys, unless `url` says so: below itself. */
export const keysUrl = (issuer: string, url?: string): URL =>
  new URL(url ?? `${issuer.replace(/\/$/, '')}/.well-known/jwks.json`);
