/** Which deployment a command is about, when it is named by its stage. */

import type { Deployment } from '../compose/deployment.ts';
import { CrossfadeError } from '../core/base/errors.ts';
import { confirm } from './confirm.ts';
import type { Context } from './context.ts';
import { printable } from './text.ts';

/** As the names of resources take it. */
const STAGE = /^[a-z][a-z0-9-]{0,19}$/;

/** @throws CrossfadeError `invalid_input` without a stage or a region, or for a stage that cannot be one */
export function stageOf({ io, options }: Context, command: string): { stage: string; region: string } {
  const { stage } = options;
  const region = options.region ?? io.env.AWS_REGION ?? io.env.AWS_DEFAULT_REGION;
  if (stage === undefined) throw new CrossfadeError('invalid_input', `${command} needs --stage, such as --stage prod.`);
  if (!STAGE.test(stage) || stage === 'local')
    throw new CrossfadeError(
      'invalid_input',
      `'${printable(stage.slice(0, 40))}' cannot be deployed: a stage has lower-case letters, digits and -, a letter first, at most 20, and 'local' is this machine.`,
    );
  if (!region)
    throw new CrossfadeError('invalid_input', `${command} needs a region: --region eu-central-1, or AWS_REGION.`);
  return { stage, region };
}

/** A stage is never on this machine. @throws CrossfadeError `confirm_required`; nothing was sent then */
export const confirmStage = (
  { io, options }: Context,
  command: string,
  { stage, region }: { stage: string; region: string },
): Promise<void> =>
  confirm(io, {
    command: `${command} stage '${stage}'`,
    name: stage,
    given: options.confirm,
    yes: options.yes === true,
    loopback: false,
    url: region,
  });

/** The deployment itself. Variables such as `CROSSFADE_LAMBDA_ENDPOINT` lead to emulators. */
export async function deploymentOf(
  { io, options }: Context,
  at: { stage: string; region: string },
): Promise<Deployment> {
  const { composeDeployment } = await import('../compose/deployment.ts');
  const {
    CROSSFADE_LAMBDA_ENDPOINT: lambda,
    CROSSFADE_APPCONFIG_ENDPOINT: appConfig,
    CROSSFADE_CLOUDWATCH_ENDPOINT: cloudWatch,
  } = io.env;
  const endpoints = lambda && appConfig ? { endpoints: { lambda, appConfig, cloudWatch } } : {};
  return composeDeployment({ ...at, profile: options.awsProfile, ...endpoints });
}
