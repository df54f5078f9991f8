/** What the publisher keeps of the issuer's keys, as an item of the state table: only the publisher's role may write it. */

import { PutCommand } from '@aws-sdk/lib-dynamodb';
import type { IssuerKeys } from '../../ports/issuer-keys.ts';
import { publishedKeys } from '../../schemas/publisher-requests.ts';
import { DEFAULT_CALL_DEADLINE_MS } from './client.ts';
import { attempt, type Target } from './failures.ts';
import { issuerKeysKey } from './keys.ts';
import { mustBelieve, readItem } from './state-items.ts';

type Options = Pick<Target, 'client' | 'tableName'> & { requestTimeoutMs?: number };

export function dynamoIssuerKeys(options: Options): Pick<IssuerKeys, 'kept' | 'keep'> {
  const target: Target = { requestTimeoutMs: DEFAULT_CALL_DEADLINE_MS, ...options };
  return {
    async kept() {
      const item = await readItem(target, 'read the keys of the issuer', issuerKeysKey());
      return item ? mustBelieve(publishedKeys, item, target, 'keys of the issuer') : null;
    },
    async keep({ url, document }) {
      const command = new PutCommand({ TableName: target.tableName, Item: { ...issuerKeysKey(), url, document } });
      await attempt(target, 'keep the keys of the issuer', (call) => target.client.send(command, call));
    },
  };
}
