/** Signs requests to an API behind IAM (Signature Version 4), with the credentials of a profile of AWS. */

import { createHash, createHmac, type Hash, type Hmac } from 'node:crypto';
import { defaultProvider } from '@aws-sdk/credential-provider-node';
import { SignatureV4 } from '@smithy/signature-v4';
import { CrossfadeError } from '../../core/base/errors.ts';

export type SignedRequest = {
  method: string;
  url: string;
  headers: Readonly<Record<string, string>>;
  body?: string | undefined;
};
export type Signer = (request: SignedRequest) => Promise<Record<string, string>>;

type Credentials = { accessKeyId: string; secretAccessKey: string; sessionToken?: string };

/** Of API Gateway's own addresses the region is a part; behind a domain of one's own it has to be said. */
const REGION_IN_HOST = /\.execute-api\.([a-z0-9-]+)\.amazonaws\.com(\.cn)?$/;

/** As the AWS CLI finds them: SSO, roles, environment, instance. */
export const callerCredentials = (profile?: string): (() => Promise<Credentials>) =>
  defaultProvider(profile === undefined ? {} : { profile });

/**
 * @param credentials by default those of the profile
 * @returns headers of a request with those that sign it. @throws CrossfadeError `unauthenticated` without credentials,
 * `invalid_input` without a region
 */
export function requestSigner({
  profile,
  region,
  credentials = callerCredentials(profile),
}: {
  profile?: string | undefined;
  region?: string | undefined;
  credentials?: () => Promise<Credentials>;
}): Signer {
  return async ({ method, url, headers, body }) => {
    const { hostname, host, pathname, searchParams, protocol } = new URL(url);
    const signer = new SignatureV4({
      service: 'execute-api',
      region: REGION_IN_HOST.exec(hostname)?.[1] ?? region ?? noRegion(hostname),
      credentials: await credentials().catch((cause: unknown) => noCredentials(profile, cause)),
      sha256: Sha256,
    });
    const signed = await signer.sign({
      method,
      protocol,
      hostname,
      path: pathname,
      query: Object.fromEntries(searchParams),
      headers: { ...headers, host },
      ...(body === undefined ? {} : { body }),
    });
    return signed.headers;
  };
}

function noRegion(hostname: string): never {
  throw new CrossfadeError(
    'invalid_input',
    `Requests to ${hostname} are signed for a region, which its name does not say. Set AWS_REGION.`,
  );
}

function noCredentials(profile: string | undefined, cause: unknown): never {
  throw new CrossfadeError(
    'unauthenticated',
    `AWS gives no credentials for ${profile === undefined ? 'the default profile' : `profile '${profile}'`}: ${cause instanceof Error ? cause.message : 'unknown'} 'aws sts get-caller-identity' shows whether it does.`,
    { cause },
  );
}

/** SHA-256, or with a key HMAC, in the form that the signer takes. */
class Sha256 {
  #hash: Hash | Hmac;

  constructor(secret?: string | ArrayBuffer | ArrayBufferView) {
    this.#hash = secret === undefined ? createHash('sha256') : createHmac('sha256', bytesOf(secret));
  }
  update(chunk: string | ArrayBuffer | ArrayBufferView): void {
    this.#hash.update(bytesOf(chunk));
  }
  async digest(): Promise<Uint8Array> {
    return this.#hash.digest();
  }
  reset(): void {
    this.#hash = createHash('sha256');
  }
}

function bytesOf(data: string | ArrayBuffer | ArrayBufferView): Uint8Array {
  if (typeof data === 'string') return Buffer.from(data);
  return data instanceof ArrayBuffer
    ? new Uint8Array(data)
    : new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}
