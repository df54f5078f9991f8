/** Clients of the vendors that take alerts, with limits: without them the SDK waits for ever. One attempt, since every tick tries again. */

import type { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import type { SNSClient } from '@aws-sdk/client-sns';
import { CrossfadeError } from '../../core/base/errors.ts';

const LIMITS = {
  maxAttempts: 1,
  requestHandler: { connectionTimeout: 500, requestTimeout: 2_000, throwOnRequestTimeout: true },
};

export async function snsClient(region: string): Promise<SNSClient> {
  const { SNSClient } = await import('@aws-sdk/client-sns');
  return new SNSClient({ region, ...LIMITS });
}

export async function eventBridgeClient(region: string): Promise<EventBridgeClient> {
  const { EventBridgeClient } = await import('@aws-sdk/client-eventbridge');
  return new EventBridgeClient({ region, ...LIMITS });
}

/** The webhook's key from Secrets Manager: the text of the secret, as it is. @throws CrossfadeError `access_denied` */
export async function secretKey(region: string, arn: string): Promise<string> {
  const { GetSecretValueCommand, SecretsManagerClient } = await import('@aws-sdk/client-secrets-manager');
  const client = new SecretsManagerClient({ region, ...LIMITS });
  try {
    const { SecretString } = await client.send(new GetSecretValueCommand({ SecretId: arn }));
    if (SecretString) return SecretString;
  } catch (cause) {
    throw new CrossfadeError('access_denied', `The key in ${arn} could not be read.`, { cause });
  }
  throw new CrossfadeError('access_denied', `The secret ${arn} has no text, which would be the key.`);
}
