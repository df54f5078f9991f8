/** `crossfade dev`: the local stack for the user's own database and cutovers. Nothing is started by itself. */

import { findConfiguration, loadConfiguration } from '../../lib/cli/configuration.ts';
import { addressOf } from '../../lib/cli/database.ts';
import { writeApplicationEnv } from './application-env.ts';
import { installSchema } from './install-schema.ts';
import { demandServers } from './servers-installed.ts';
import { startStack } from './stack.ts';

export type DevOptions = { root: string; databaseUrl: string; config?: string; speed: number; port: number };

export async function runDev(options: DevOptions, untilStopped: Promise<void>): Promise<number> {
  const { notes } = addressOf(options.databaseUrl);
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  const config = findConfiguration(options.config, process.cwd());
  const cutovers = await loadConfiguration(config);
  demandServers(options.root);
  say('\nStarting Crossfade for your database');
  for (const note of notes) say(`Not used of the address: ${note}`);
  const stack = await startStack({
    root: options.root,
    port: options.port,
    speed: options.speed,
    cutovers,
    database: async () => {
      await installSchema(options.root, options.databaseUrl);
      return { runtimeUrl: options.databaseUrl, ownerUrl: options.databaseUrl, stop: async () => {} };
    },
    say,
  });
  const application = writeApplicationEnv(process.cwd(), stack.settings);
  try {
    const port = options.port === 3000 ? '' : ` --port ${options.port}`;
    say(`\nDashboard   ${stack.settings.url}`);
    say(`Declared in ${config}`);
    say(`Cutovers    ${cutovers.map(({ id }) => id).join(', ') || 'none declared'}`);
    for (const { id } of cutovers.slice(0, 1)) {
      say(
        `Next        npx --no-install crossfade preview ${id}${port}, then npx --no-install crossfade start ${id}${port}`,
      );
    }
    if (stack.settings.streamUrl) say(`Gateway     ${stack.settings.streamUrl}/gateway/CUTOVER/…`);
    say(`Application node --env-file=${application.path} … has the addresses and a token that the SDK wants`);
    say('Ctrl-C ends it; the database is yours and stays.');
    await untilStopped;
    return 0;
  } finally {
    application.remove();
    await stack.stop();
  }
}
