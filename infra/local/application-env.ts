/**
 * What an application needs to be tried against the stack, as a file of variables: `node --env-file=.crossfade/env app.js`. It
 * lies in the directory in which `crossfade dev` was started, and goes with it.
 */

import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { APPLICATION_SCOPES, mintToken } from '../../lib/cli/connection.ts';
import type { LocalSettings } from '../../lib/schemas/local-settings.ts';

const FOLDER = '.crossfade';
const TOKEN_SECONDS = 7 * 24 * 3_600;

export type ApplicationEnv = { path: string; remove(): void };

export function writeApplicationEnv(directory: string, settings: LocalSettings): ApplicationEnv {
  const folder = join(directory, FOLDER);
  const path = join(folder, 'env');
  const token = { sub: 'local:application', scopes: APPLICATION_SCOPES, nowMs: Date.now(), seconds: TOKEN_SECONDS };
  const { environment } = settings;
  const variables = {
    CROSSFADE_API: settings.apiUrl,
    CROSSFADE_TOKEN: mintToken(settings, token),
    CROSSFADE_AGENT: settings.appconfigEndpoint,
    CROSSFADE_APPCONFIG_APPLICATION: environment.CROSSFADE_APPCONFIG_APPLICATION,
    CROSSFADE_APPCONFIG_ENVIRONMENT: environment.CROSSFADE_APPCONFIG_ENVIRONMENT,
    CROSSFADE_APPCONFIG_PROFILE: environment.CROSSFADE_APPCONFIG_PROFILE,
    CROSSFADE_CLOCK_SPEED: environment.CROSSFADE_CLOCK_SPEED,
    CROSSFADE_CLOCK_ORIGIN_MS: environment.CROSSFADE_CLOCK_ORIGIN_MS,
    ...(settings.streamUrl === null ? {} : { CROSSFADE_GATEWAY: `${settings.streamUrl}/gateway` }),
    // The emulator answers with what is deployed, and keeps nothing.
    AWS_APPCONFIG_EXTENSION_POLL_INTERVAL_SECONDS: '0',
  };
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, '.gitignore'), '*\n');
  // Replaced, so that nobody else's rights on an older one stay.
  rmSync(path, { force: true });
  const lines = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  writeFileSync(path, `${lines.join('\n')}\n`, { mode: 0o600 });
  return { path: join(FOLDER, 'env'), remove: () => rmSync(path, { force: true }) };
}
