/**
 * `crossfade dev`: the local stack for the user's own database and cutovers. Nothing is started by itself. Ended in whatever
 * way and started again, it goes on where it was.
 */

import { relative } from 'node:path';
import { findConfiguration, loadConfiguration } from '../../lib/cli/configuration.ts';
import { addressOf } from '../../lib/cli/database.ts';
import { writeApplicationEnv } from './application-env.ts';
import { release } from './kept/kept.ts';
import { resume } from './kept/resume.ts';
import { demandServers } from './servers-installed.ts';
import { startStack } from './stack.ts';

export type DevOptions = {
  root: string;
  databaseUrl: string;
  config?: string;
  speed: number;
  port: number;
  /** Forget what is kept, and take capture off the tables. */
  fresh: boolean;
};

export async function runDev(options: DevOptions, untilStopped: Promise<void>): Promise<number> {
  const here = process.cwd();
  const { notes } = addressOf(options.databaseUrl);
  const say = (line: string) => void process.stdout.write(`${line}\n`);
  const config = findConfiguration(options.config, here);
  const cutovers = await loadConfiguration(config);
  demandServers(options.root);
  say('\nStarting Crossfade for your database');
  for (const note of notes) say(`Not used of the address: ${note}`);
  const { directory, memory, demand, stages } = await resume(here, options, say);
  const stack = await startStack({
    root: options.root,
    port: options.port,
    speed: options.speed,
    cutovers,
    database: async () => ({
      runtimeUrl: options.databaseUrl,
      ownerUrl: options.databaseUrl,
      stop: async () => release(directory),
    }),
    say,
    memory,
    demand,
  });
  const application = writeApplicationEnv(here, stack.settings);
  try {
    const port = options.port === 3000 ? '' : ` --port ${options.port}`;
    say(`\nDashboard   ${stack.settings.url}`);
    say(`Declared in ${config}`);
    say(`Cutovers    ${cutovers.map(({ id }) => id).join(', ') || 'none declared'}`);
    const going = stages().map(({ id, stage }) => `${id} at ${stage}`);
    say(`Kept in     ${relative(here, directory)}${going.length === 0 ? '' : `, and goes on: ${going.join(', ')}`}`);
    for (const { id } of cutovers.slice(0, 1)) {
      say(
        `Next        npx --no-install crossfade preview ${id}${port}, then npx --no-install crossfade start ${id}${port}`,
      );
    }
    if (stack.settings.streamUrl) say(`Gateway     ${stack.settings.streamUrl}/gateway/CUTOVER/…`);
    say(`Application node --env-file=${application.path} … has the addresses and a token that the SDK wants`);
    say(
      'Ctrl-C ends it, and the next one goes on with it. The database is yours and stays, with the triggers of what began.',
    );
    await untilStopped;
    return 0;
  } finally {
    application.remove();
    await stack.stop();
  }
}
