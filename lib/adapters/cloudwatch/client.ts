/** Clients of CloudWatch, one a region, with limits. One attempt, since every tick asks again. */

import { CloudWatchClient, type CloudWatchClientConfig } from '@aws-sdk/client-cloudwatch';

export type CloudWatchOptions = {
  /** Of the local stack, whatever the region is. */
  endpoint?: string;
  credentials?: CloudWatchClientConfig['credentials'];
};

export function cloudWatchClients(options: CloudWatchOptions = {}): (region: string) => CloudWatchClient {
  const made = new Map<string, CloudWatchClient>();
  return (region) => {
    const known = made.get(region);
    if (known) return known;
    const limits = { connectionTimeout: 500, requestTimeout: 3_000, throwOnRequestTimeout: true };
    const client = new CloudWatchClient({ maxAttempts: 1, requestHandler: limits, ...options, region });
    made.set(region, client);
    return client;
  };
}
