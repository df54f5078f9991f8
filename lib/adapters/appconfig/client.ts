/**
 * The client that publishes, with the limits everything else relies on. Without them the SDK waits for ever, and
 * `requestTimeout` alone only prints a warning.
 */

import { AppConfigClient, type AppConfigClientConfig } from '@aws-sdk/client-appconfig';

export type AppConfigClientOptions = Pick<AppConfigClientConfig, 'region' | 'endpoint' | 'credentials'>;

/** Milliseconds until one call, with all the attempts of the SDK, is given up. */
export const DEFAULT_CALL_DEADLINE_MS = 3_000;

/** 0.5 s to connect, 1 s per request, 3 attempts. */
const LIMITS = {
  maxAttempts: 3,
  requestHandler: { connectionTimeout: 500, requestTimeout: 1_000, throwOnRequestTimeout: true },
};

/** For publishing. @example appConfigClient({ region: 'local', endpoint: 'http://127.0.0.1:2772', credentials }) */
export function appConfigClient(options: AppConfigClientOptions = {}): AppConfigClient {
  return new AppConfigClient({ ...options, ...LIMITS });
}
