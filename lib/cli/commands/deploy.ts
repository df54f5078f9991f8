/**
 * One release to one stage: the parameters are checked, what it costs is said, the framework deploys, the schema is migrated, and the
 * result is looked at. What fails ends it there, and it may be given again.
 */

import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { parse } from 'yaml';
import { CrossfadeError } from '../../core/base/errors.ts';
import { billOf } from '../../core/cost/bill.ts';
import type { CutoverDeclaration } from '../../core/cutover/cutover.ts';
import { type ParameterTable, readStageParameters } from '../../schemas/stage-parameters.ts';
import { findConfiguration, loadConfiguration } from '../configuration.ts';
import type { Context, Outcome } from '../context.ts';
import { packageRoot } from '../package-root.ts';
import { runChild } from '../run-child.ts';
import { confirmStage, deploymentOf, stageOf } from '../stage.ts';
import { counted as countedText } from '../text.ts';
import { costFiles } from './cost.ts';
import { packageStack } from './package.ts';

export async function deploy(context: Context): Promise<Outcome> {
  const { io, options } = context;
  const at = stageOf(context, 'deploy');
  const parameters = parametersOf(context, at.stage);
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
  const { applied } = await deployment.schema<{ applied: string[] }>({ task: 'migrate' });
  const { installed, wanted } = await deployment.schema<{ installed: number; wanted: number }>({ task: 'look' });
  if (installed !== wanted)
    throw new CrossfadeError(
      'schema_changed',
      `The schema ends with migration ${installed}, and the functions of stage '${at.stage}' need ${wanted}. Deploy again.`,
    );
  return {
    document: { ...at, stack, cutovers: cutovers.map(({ id }) => id), applied, schema: installed },
    text: [
      `Stage '${at.stage}' in ${at.region} is deployed, with ${countedText(cutovers.length, 'cutover')}.`,
      `The database is reached by its functions. ${applied.length === 0 ? 'Its schema was up to date' : `Migrations were applied: ${applied.length}`}; it ends with number ${installed}.`,
      "Next: the address that the framework printed into CROSSFADE_URL, then 'crossfade doctor'.",
    ].join('\n'),
  };
}

/** `--parameters`, else stages/STAGE.yml of this directory. */
function parametersOf({ io, options }: Context, stage: string): Record<string, string> {
  const file = resolve(io.directory, options.parameters ?? join('stages', `${stage}.yml`));
  const example = join(packageRoot(), 'infra', 'stages', 'prod.example.yml');
  if (!existsSync(file))
    throw new CrossfadeError(
      'invalid_config',
      `The parameters of stage '${stage}' are looked for in ${file}, which does not exist. Copy ${example} there, or name another file with --parameters.`,
    );
  const { PARAMETERS } = createRequire(join(packageRoot(), 'package.json'))('./infra/parameters.cjs') as {
    PARAMETERS: ParameterTable;
  };
  return readStageParameters(parsed(file), PARAMETERS, file);
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
