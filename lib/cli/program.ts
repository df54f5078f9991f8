/** Every command of `crossfade` with its arguments, options and help. What a command does is in `commands/`. */

import { Argument, Command, Option } from 'commander';
import { BUILT_IN_PLAN_NAMES } from '../core/cutover/plan.ts';
import { adopt } from './commands/adopt.ts';
import { ack, alerts } from './commands/alerts.ts';
import { describeApi } from './commands/api.ts';
import { bucket } from './commands/bucket.ts';
import { experiment } from './commands/experiment.ts';
import { forwards } from './commands/forwards.ts';
import { health, inspect, progress } from './commands/inspect.ts';
import { explain, history, preview, repair, verify } from './commands/look.ts';
import { open } from './commands/open.ts';
import { operateAction } from './commands/operate.ts';
import { phase, phases } from './commands/phases.ts';
import { policy } from './commands/policy.ts';
import { readOnly } from './commands/read-only.ts';
import { removeShadow } from './commands/remove-shadow.ts';
import { checkpoints, exportRows, report } from './commands/report.ts';
import { rollbacks } from './commands/rollbacks.ts';
import { backfill, quarantine } from './commands/rows.ts';
import { status } from './commands/status.ts';
import { reads, writes } from './commands/switches.ts';
import { resetSystem, rollbackSystem, stop } from './commands/system.ts';
import { token } from './commands/token.ts';
import { completionOf, SHELLS, type Shell } from './completion.ts';
import type { Action } from './context.ts';
import { EXAMPLES } from './help.ts';
import {
  type Add,
  confirmed,
  duration,
  forced,
  hours,
  later,
  limit,
  operation,
  planName,
  port,
  positive,
  readOnlySeconds,
  reason,
  replayed,
  scanSeconds,
  tokenHours,
  whole,
  withOldName,
  writing,
} from './options.ts';
import { addSetUp } from './program-set-up.ts';
import { MAX_WIDTH } from './text.ts';

const replayFiles = later(async () => (await import('./commands/replay.ts')).replayFiles);

export type Perform = (action: Action, command: Command) => Promise<void>;

/** @param perform runs an action with the arguments and options of its command */
export function buildProgram(version: string, perform: Perform, output: { width: number; colours: boolean }): Command {
  const program = new Command('crossfade')
    .description('Moves a live table, code path or service from old to new, and back again if anything goes wrong.')
    .version(version)
    .configureHelp({ showGlobalOptions: true, helpWidth: Math.min(MAX_WIDTH, output.width) })
    .configureOutput({
      getOutHasColors: () => output.colours,
      getErrHasColors: () => false,
      getOutHelpWidth: () => output.width,
      getErrHelpWidth: () => output.width,
    })
    .option('--url <address>', 'address of Crossfade (CROSSFADE_URL), with a token in CROSSFADE_TOKEN')
    .option('--port <number>', 'the local stack on this port (CROSSFADE_PORT, 3000)', port)
    .option('--aws-profile <name>', 'behind IAM: sign requests with the credentials of this profile of AWS')
    .option('--json', 'one JSON document on standard output, errors too')
    .option('--yes', 'go on without asking, on another machine than this one')
    .showSuggestionAfterError(true)
    .exitOverride()
    .addHelpText('after', EXAMPLES);
  const add = (usage: string, description: string, action: Action) => {
    const command = withOldName(program.command(usage)).description(description);
    return command.action(() => perform(action, command));
  };
  addSetUp(program, add);
  addLooking(program, add);
  addMoving(program, add);
  addPhases(program, add);
  addSystem(program, add);
  addTools(program, add);
  return program;
}

function addLooking(program: Command, add: Add): void {
  program.commandsGroup('Look:');
  add('preview <cutover>', 'what would become of the columns, dependents and rows of its table', preview).option(
    '--scan <seconds>',
    'how long to look for rows that could not go back: 3 by default, 0 for not at all',
    scanSeconds,
  );
  add('status [cutover]', 'stage, share, health, figures of both sides, what holds it, what comes next', status)
    .option('--watch', 'look again until it is completed or rolled back')
    .option(
      '--wait <stage>',
      'look again until it is there or further: a stage of its plan, full, ready to be completed, completed or cleaned',
    )
    .option('--timeout <time>', 'with --watch or --wait: give up after; seconds, or 30m, or 2h', duration)
    .addOption(new Option('--interval <seconds>', 'with these: between two looks').argParser(positive).default(2))
    .option('--exit-code', 'end with 3 when one is held, 4 when one was rolled back');
  add('health <cutover>', 'some 50 checks of its tables and their server, before it is started', health).option(
    '--all',
    'what passed, too',
  );
  add('progress [cutover]', 'copy, lag, quarantine and verification of the rows', progress);
  add('inspect <cutover>', 'compare both tables now and store nothing; ends with 3 when rows differ', inspect)
    .option('--key <key>', 'one row of both sides: {"id": 5}, or the bare value where the key is one column')
    .option('--values', 'with --key: its values, for who has the scope rows:read');
  add('explain <cutover>', 'one sentence per condition: what holds, what does not, what would release it', explain);
  add('history [cutover]', 'the audit timeline, newest first, and whether its chain is whole', history)
    .option('--limit <number>', 'entries, 1–200', limit)
    .option('--after <seq>', 'only entries before this sequence number', whole)
    .option('--verify', 'only check that every log is whole; ends with 1 when one is not')
    .option('--conform', 'only check that every entry is a step of the stage machine; ends with 1 when one is not');
  add('report [cutover]', 'status, and what both sides did in the last hours, per operation', report).addOption(
    hours(),
  );
  add('checkpoints <cutover>', 'each stage: what was compared, the evidence, who decided, what came next', checkpoints);
  add('export <cutover>', 'the audit log, or the figures of each minute, oldest first', exportRows)
    .addOption(new Option('--what <what>', 'which of them').choices(['audit', 'metrics']).default('audit'))
    .addOption(new Option('--format <format>', 'of what is written').choices(['json', 'csv']).default('json'))
    .addOption(hours());
  add('experiment [experiment]', 'how many units of how many, then tests, intervals and a recommendation', experiment);
  add('alerts', 'what fires, what waits and what ended in the last day', alerts)
    .option('--watch', 'look again until stopped, and show every change')
    .option('--timeout <seconds>', 'with --watch: end after', positive)
    .addOption(new Option('--interval <seconds>', 'with --watch: between two looks').argParser(positive).default(2))
    .option('--exit-code', 'end with 3 while one fires');
  writing(add('ack <alert>', 'take an alert on: it is not escalated any more', ack)).addOption(
    reason().makeOptionMandatory(),
  );
  add(
    'rollbacks <cutover>',
    'its rollbacks with the outcome of each step, and what one would consist of now',
    rollbacks,
  );
  writing(add('verify <cutover>', 'compare both tables exactly, now; ends with 3 when rows differ', verify)).option(
    '--proof',
    'by SHA-256 over the text of every row: slower, beyond doubt',
  );
  writing(
    add('forwards <cutover> [action] [id]', 'writes the other side must still get; retry or discard one', forwards),
  ).option('--all', 'with retry or discard: every one in quarantine');
  writing(add('repair <cutover>', 'write again the rows that the last verification found to differ', repair));
  confirmed(
    writing(
      add('quarantine <cutover> [action] [key]', 'keys that do not fit; retry [key] or discard <key>', quarantine),
    ),
  )
    .addOption(reason())
    .option('--limit <number>', 'keys to list, 1–200', limit);
  writing(
    add(
      'backfill <cutover> [action]',
      'how far the copy is, what it waits for; dry-run, pause, resume, cancel',
      backfill,
    ),
  ).addOption(reason());
}

function addMoving(program: Command, add: Add): void {
  program.commandsGroup('Move one cutover:');
  operation(add('start <cutover>', 'begin to write both sides', operateAction('start')))
    .addOption(
      new Option('--plan <name>', `another plan than the declared one: ${BUILT_IN_PLAN_NAMES.join(', ')}`).argParser(
        planName,
      ),
    )
    .option('--dwell <minutes>', 'with --plan: shortest stay in every stage', positive)
    .option('--rehearsal <file>', 'report of a rehearsal that passed, where the declaration requires one');
  forced(
    operation(add('advance <cutover>', 'go to the next stage now, if the gates allow it', operateAction('advance'))),
  );
  operation(add('approve <cutover>', 'let a stage go on that waits for a person', operateAction('approve')));
  operation(add('pause <cutover>', 'stay in this stage; guards still roll back', operateAction('pause')));
  operation(add('resume <cutover>', 'go on after a pause', operateAction('resume')));
  operation(add('policy <cutover>', 'show the limits in force, or change them until the next reset', policy))
    .option('--set <key=value...>', 'a limit and its new value; none takes a limit away')
    .option('--unset <key...>', 'limits that return to their declared value')
    .option('--stage <name>', 'in this stage only')
    .addOption(reason());
  operation(
    add(
      'reads <side> <cutover>',
      'primary: its reads leave the shadow at once, and the stage stays; shadow: they come back to it',
      reads,
    ),
  ).addOption(reason().makeOptionMandatory());
  operation(
    add(
      'writes <way> [cutover]',
      'off: nothing is written to its shadow, and changes wait; on: they are applied. Without a cutover: of all',
      writes,
    ),
  ).addOption(reason().makeOptionMandatory());
  operation(
    add('rollback <cutover>', 'go back to the primary, from any stage before cleanup', operateAction('rollback')),
  ).addOption(reason().makeOptionMandatory());
  writing(
    add(
      'read-only <cutover> [way]',
      'on: the primary refuses writes for a while, for the final catch-up; off: it takes them again',
      readOnly,
    ),
  )
    .option('--seconds <number>', 'for how long, 1–300; 30 by default', readOnlySeconds)
    .addOption(reason());
  confirmed(
    forced(operation(add('complete <cutover>', 'the shadow takes over; still reversible', operateAction('complete')))),
  );
  confirmed(operation(add('cleanup <cutover>', 'drop the old side: no way back', operateAction('cleanup')))).option(
    '--drop-tracking',
    'the columns _shadow_… of the new table, too',
  );
  writing(
    add('adopt <cutover>', 'take the tables over after somebody has altered them; every row is compared again', adopt),
  ).addOption(reason());
  confirmed(
    writing(
      add(
        'remove-shadow <cutover>',
        'drop the shadow table of a cutover that is not under way; only a backup brings it back',
        removeShadow,
      ),
    ),
  ).addOption(reason());
  const reset: Action = (context) =>
    context.args[0] === 'system' ? resetSystem(context) : operateAction('reset')(context);
  confirmed(operation(add('reset <cutover>', "ready to start again; 'reset system' lifts the emergency stop", reset)));
}

function addPhases(program: Command, add: Add): void {
  program.commandsGroup('Phases:');
  add('phases', 'groups of cutovers in their order, what each waits for, how its end would be decided', phases);
  const one = add(
    'phase <name> [command] [check]',
    'one phase; or check CHECK, go, extend, rollback (with all that depend on it), reset',
    phase,
  );
  confirmed(forced(operation(one)), 'phase')
    .option('--withdraw', 'with check: it does not hold after all')
    .option('--minutes <number>', 'with extend: how much longer it soaks', whole);
}

function addSystem(program: Command, add: Add): void {
  program.commandsGroup('Move everything:');
  writing(add('stop', 'emergency stop: every cutover back to the primary, nothing starts', stop))
    .addOption(reason().makeOptionMandatory())
    .option('--break-glass', 'past the API, straight into state and flags, with your credentials of AWS')
    .option('--stage <name>', 'with --break-glass: which deployment')
    .option('--dry-run', 'with --break-glass: a drill that reads what it needs and writes nothing');
  confirmed(
    writing(add('rollback-system', 'roll back every cutover, completed ones too', rollbackSystem)),
    'system',
  ).addOption(reason().makeOptionMandatory());
}

function addTools(program: Command, add: Add): void {
  program.commandsGroup('Tools:');
  replayed(
    add('replay [files...]', 'verdicts of the gates on recorded minutes, until the first rollback', replayFiles),
  );
  add('bucket', 'the bucket of a key; with --json and without a key: JSON lines {salt,key} from standard input', bucket)
    .option('--salt <text>', "the cutover's salt")
    .option('--key <text>', 'the routing key');
  add('token', 'print a token of the local stack for an application', token)
    .option('--scopes <list>', 'what it may do; by default what an application does')
    .option('--hours <number>', 'how long it is valid, 12 by default', tokenHours);
  add(
    'completion',
    'print what makes a shell complete these words: source <(crossfade completion bash)',
    async ({ args }) => {
      const text = completionOf(program, args[0] as Shell);
      return { document: { script: text }, text };
    },
  ).addArgument(new Argument('<shell>').choices(SHELLS));
  add('openapi', 'print the OpenAPI description of the HTTP API', describeApi);
  add('open', 'serve the page of any Crossfade on this machine and print its address', open).option(
    '--listen <number>',
    'port to serve it on, a free one by default',
    port,
  );
}
