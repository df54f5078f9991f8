/**
 * What a running local stack tells other programs on the same machine: where its servers are, which clock they live in,
 * and the key with which the owner of the file may sign short-lived operator tokens. The file is readable by its owner only.
 */

import { readFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import * as z from 'zod';

const localSettingsSchema = z.object({
  /** The stack's own process: the file is stale when it is gone. */
  pid: z.number().int(),
  /** Where people go: page and API behind the local front. */
  url: z.string(),
  /** The API itself, as serverless-offline serves it. */
  apiUrl: z.string(),
  lambdaUrl: z.string(),
  /** The gateway as a Function URL that streams; null where no service is declared. */
  streamUrl: z.string().nullable(),
  dynamodbEndpoint: z.string(),
  appconfigEndpoint: z.string(),
  /** Where alarms can be set by hand: infra/local/cloudwatch.ts. */
  cloudwatchEndpoint: z.string(),
  databaseUrl: z.string(),
  ownerDatabaseUrl: z.string(),
  issuer: z.string(),
  audience: z.string(),
  jwks: z.object({ keys: z.array(z.record(z.string(), z.unknown())) }),
  privateKey: z.record(z.string(), z.unknown()),
  clockSpeed: z.number().positive(),
  clockOriginMs: z.number(),
  /** Configuration module the stack was started with, absolute; empty for the built-in demonstration. */
  config: z.string(),
  /** Environment of the functions, complete: what `serverless` in another terminal needs. */
  environment: z.record(z.string(), z.string()),
});

export type LocalSettings = z.infer<typeof localSettingsSchema>;

export const DEFAULT_PORT = 3000;

/** `<tmp>/crossfade-<uid>-<port>`: everything a local stack writes lies below it. */
export function localDirectory(port: number): string {
  return join(tmpdir(), `crossfade-${userInfo().uid}-${port}`);
}

export function localSettingsPath(port: number): string {
  return join(localDirectory(port), 'settings.json');
}

/** The settings of the stack on this port, or null when none was left there or it cannot be read. */
export function readLocalSettings(port: number): LocalSettings | null {
  try {
    return localSettingsSchema.parse(JSON.parse(readFileSync(localSettingsPath(port), 'utf8')));
  } catch {
    return null;
  }
}
