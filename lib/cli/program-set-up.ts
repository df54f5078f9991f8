/** Commands that come before the first cutover. */

import type { Command } from 'commander';
import {
  type Add,
  configuration,
  confirmed,
  databaseUrl,
  deployed,
  duration,
  fresh,
  later,
  port,
  positive,
  rate,
  whole,
} from './options.ts';

const cost = later(async () => (await import('./commands/cost.ts')).cost);
const deploy = later(async () => (await import('./commands/deploy.ts')).deploy);
const dev = later(async () => (await import('./commands/dev.ts')).dev);
const rehearse = later(async () => (await import('./commands/dev.ts')).rehearse);
const doctor = later(async () => (await import('./commands/doctor.ts')).doctor);
const init = later(async () => (await import('./commands/init.ts')).init);
const migrate = later(async () => (await import('./commands/migrate.ts')).migrate);
const packageStack = later(async () => (await import('./commands/package.ts')).packageStack);
const uninstall = later(async () => (await import('./commands/uninstall.ts')).uninstall);

export function addSetUp(program: Command, add: Add): void {
  program.commandsGroup('Set up:');
  add('init', 'draft the new table and the declaration of a table, with what is left to do', init)
    .requiredOption('--table <schema.name>', 'the table that is to move, as the catalog spells it')
    .option(
      '--alter <actions>',
      "what is to change, as of ALTER TABLE: 'ALTER COLUMN id TYPE bigint, ADD COLUMN note text'",
    )
    .option(
      '--partition-by <clause>',
      "'RANGE (created_at)': a partition for each month that has rows, and for two ahead",
    )
    .option('--ddl <file>', 'CREATE TABLE of the new table and what belongs to it, in place of the two')
    .addOption(databaseUrl());
  add('dev', 'serve your own database and configuration on this machine', dev)
    .option('--database-url <url>', 'postgres://… of a role that owns the tables')
    .addOption(configuration())
    .option('--speed <factor>', 'minutes of Crossfade per real minute', positive)
    .option('--port <number>', 'first of the eight ports that are used (3000)', port)
    .addOption(fresh());
  add('rehearse <cutover>', 'take a cutover through its whole life on a copy of the database, and report', rehearse)
    .option('--database-url <url>', 'postgres://… of a role that owns the tables')
    .option('--runtime-url <url>', 'of the role that moves rows; the owner by default')
    .option('--application-url <url>', 'of the role of the application; the owner by default')
    .option('--admin-url <url>', 'of a role that may copy the database; the owner by default')
    .option('--on <copy>', "'copy', a file of pg_dump, or postgres://… of a database that may be used up")
    .option('--sample <rows>', 'cut the table of the copy to so many rows, and what refers to the others', positive)
    .addOption(configuration())
    .option('--minutes <number>', 'how long it may take (15)', positive)
    .option('--speed <factor>', 'minutes of Crossfade per real minute (30)', positive)
    .option('--port <number>', 'first of the eight ports that are used; free ones by default', port)
    .option('--out <directory>', 'where the report is written (.crossfade/rehearsal)');
  deployed(
    add('migrate', 'install or update the schema crossfade in the database, or by the function of a stage', migrate),
  ).addOption(databaseUrl());
  deployed(
    add(
      'doctor [cutover]',
      'check this machine, the API and the database, and the tables of a cutover, with a remedy for each finding',
      doctor,
    )
      .addOption(databaseUrl())
      .option('--deployed', 'check what is deployed under a stage instead; changes nothing'),
  );
  add('package <directory>', 'write what is deployed, with your configuration', packageStack).addOption(
    configuration(),
  );
  confirmed(
    deployed(add('deploy', 'bring this release to a stage, migrate its schema, and look at the result', deploy)),
    'stage',
  )
    .option('--parameters <file>', 'of the stage, in YAML; stages/STAGE.yml of this directory')
    .option('--timeout <seconds>', 'how long the checks at the end may take to pass, 300 by default', duration)
    .addOption(configuration());
  add('cost', 'what a month of it costs on AWS, from counted requests and a list of prices', cost)
    .option('--cutovers <number>', 'tables under way, 1 by default; with no option of the load: four loads', whole)
    .option('--writes-per-second <number>', 'of the application to these tables, 5 by default', rate)
    .option('--processes <number>', 'of the application that use the SDK and keep running, 2 by default', whole)
    .option('--readers <number>', 'requests a second that the application answers on Lambda with the SDK', rate)
    .option('--region <name>', 'whose prices (AWS_REGION, us-east-1)');
  confirmed(
    deployed(
      add('uninstall', 'drop the schema and the stored flags of a stage, so that its stack can be removed', uninstall),
    ),
    'stage',
  );
}
