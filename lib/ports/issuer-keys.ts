/** Signing keys of the issuer of tokens, on their way to functions that have no way to it. */

type PublishedKeys = {
  /** Where they are published. */
  url: string;
  /** A JWKS document. */
  document: string;
};

export type IssuerKeys = {
  /** As the issuer publishes them now. */
  published(): Promise<PublishedKeys>;
  /** As they were kept last. @throws CrossfadeError `store_unavailable`, `state_invalid` */
  kept(): Promise<PublishedKeys | null>;
  keep(keys: PublishedKeys): Promise<void>;
};
