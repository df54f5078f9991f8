/**
 * One release to one stage: the parameters are checked, what it costs is said, the framework deploys, the schema is migrated, and the
 * result is checked from outside until all is well. What fails ends it there, and it may be given again.
 */

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parse } from 'yaml';
import type { Deployment } from '../../compose/deployment.ts';
import { CrossfadeError } from '../../core/base/errors.ts';
import { billOf } from '../../core/cost/bill.ts';
import type { CutoverDeclaration } from '../../core/cutover/cutover.ts';
import { type FindProblems, readStageParameters } from '../../schemas/stage-parameters.ts';
import { findConfiguration, loadConfiguration } from '../configuration.ts';
import { type Context, EXIT, type Outcome } from '../context.ts';
import { anyFailed, type Check, renderChecks } from '../doctor/check.ts';
import { checkDeployment } from '../doctor/deployed.ts';
import { packageRoot } from '../package-root.ts';
import { runChild } from '../run-child.ts';
import { confirmStage, deploymentOf, stageOf } from '../stage.ts';
import { counted as countedText } from '../text.ts';
import { costFiles } from './cost.ts';
import type { Migrated } from './migrate.ts';
import { packageStack } from './package.ts';

export async function deploy(context: Context): Promise<Outcome> {
  const { io, options } = context;
  const at = stageOf(context, 'deploy');
  const parameters = parametersOf(context, at);
  const cutovers = await loadConfiguration(findConfiguration(options.config, io.directory));
  io.stderr(`${costText(cutovers, at.region)}\n`);
  await confirmStage(context, 'deploy', at);
  const stack = resolve(io.directory, '.crossfade', `stack-${at.stage}`);
  await packageStack({ ...context, args: [stack] });
  await runChild(io, ['npm', 'install', '--no-audit', '--no-fund'], stack);
  await runChild(
    io,
    ['npx', '--no-install', 'serverless', 'deploy', ...wordsOf(at, options.awsProfile, parameters)],
    stack,
  );
  const deployment = await deploymentOf(context, at);
  const migrated = await deployment.schema<Migrated>({ task: 'migrate' });
  const applied = [migrated, ...(migrated.connections ?? [])].flatMap((one) => one.applied);
  const checks = await checkedUntilWell(context, at, deployment);
  const failed = anyFailed(checks);
  return {
    document: { ...at, stack, cutovers: cutovers.map(({ id }) => id), applied, ok: !failed, checks },
    text: [
      renderChecks(checks, io.width, io.paint),
      '',
      `Stage '${at.stage}' in ${at.region} is deployed, with ${countedText(cutovers.length, 'cutover')}. ${applied.length === 0 ? 'Its schema was up to date' : `Migrations were applied: ${applied.length}`}.`,
      failed
        ? `What failed above is still so. Correct it, then: crossfade doctor --deployed --stage ${at.stage}`
        : "Next: the address of the caller into CROSSFADE_URL, then 'crossfade status'.",
    ].join('\n'),
    ...(failed ? { exit: EXIT.other } : {}),
  };
}

/** The first tick comes within a minute, its metric a little later, and alarms that rang while functions and schema differed end then. */
const WELL_WITHIN_S = 300;
const AGAIN_MS = 10_000;

async function checkedUntilWell(
  context: Context,
  at: { stage: string; region: string },
  deployment: Deployment,
): Promise<Check[]> {
  const { io, options } = context;
  const untilMs = io.nowMs() + (options.timeout ?? WELL_WITHIN_S) * 1_000;
  for (;;) {
    const checks = await checkDeployment(context, at, deployment);
    const failing = checks.filter(({ level }) => level === 'fail').map(({ name }) => name);
    const leftMs = untilMs - io.nowMs();
    if (failing.length === 0 || leftMs <= 0) return checks;
    io.stderr(`Not well yet: ${failing.join(', ')}. It is checked again for ${Math.ceil(leftMs / 1_000)} s.\n`);
    if (!(await pause(Math.min(AGAIN_MS, leftMs), true, { signal: io.signal }).catch(() => false))) return checks;
  }
}

/** `--parameters`, else stages/STAGE.yml of this directory. */
function parametersOf({ io, options }: Context, at: { stage: string; region: string }): Record<string, string> {
  const file = resolve(io.directory, options.parameters ?? join('stages', `${at.stage}.yml`));
  const example = join(packageRoot(), 'infra', 'stages', 'prod.example.yml');
  if (!existsSync(file))
    throw new CrossfadeError(
      'invalid_config',
      `The parameters of stage '${at.stage}' are looked for in ${file}, which does not exist. Copy ${example} there, or name another file with --parameters.`,
    );
  const { problemsOf } = createRequire(join(packageRoot(), 'package.json'))('./infra/refusals.cjs') as {
    problemsOf: FindProblems;
  };
  return readStageParameters({ file: parsed(file), from: file }, at, problemsOf);
}

function parsed(file: string): unknown {
  try {
    return parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new CrossfadeError('invalid_config', `${file} is no YAML: ${(cause as Error).message}`, { cause });
  }
}

function costText(cutovers: readonly CutoverDeclaration[], region: string): string {
  const { prices, counted } = costFiles();
  const priced = region in prices.regions ? region : 'us-east-1';
  const cost = (count: number) => {
    const load = {
      cutovers: count,
      writesPerSecond: count > 0 ? 5 : 0,
      processes: count > 0 ? 2 : 0,
      readersPerSecond: 0,
    };
    return `${Math.ceil(billOf(load, counted, prices, priced).total)} USD`;
  };
  return `At list prices of ${priced} it costs some ${cost(0)} a month with nothing under way, and ${cost(cutovers.length)} with ${countedText(cutovers.length, 'cutover')} under way: crossfade cost.`;
}

const wordsOf = (
  { stage, region }: { stage: string; region: string },
  profile: string | undefined,
  parameters: Readonly<Record<string, string>>,
): string[] => [
  '--stage',
  stage,
  '--region',
  region,
  ...(profile === undefined ? [] : ['--aws-profile', profile]),
  ...Object.entries(parameters).map(([name, value]) => `--param=${name}=${value}`),
];
