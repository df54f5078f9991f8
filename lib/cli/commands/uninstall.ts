/**
 * Takes out of a deployment what would keep its stack from going, or stay behind on production: the schema with what is left of
 * capture, and the stored versions of the flags. The stack itself is the framework's.
 */

import type { Standing, Uninstalled } from '../../flows/control/uninstall.ts';
import { type Context, EXIT, type Outcome } from '../context.ts';
import { confirmStage, deploymentOf, stageOf } from '../stage.ts';
import { counted, printable } from '../text.ts';

export async function uninstall(context: Context): Promise<Outcome> {
  const at = stageOf(context, 'uninstall');
  const deployment = await deploymentOf(context, at);
  const before = await deployment.schema<Uninstalled>({ task: 'uninstall', dryRun: true });
  if (before.kind === 'standing') return refusal(before.cutovers);
  await confirmStage(context, 'uninstall', at);
  // One may have been started since.
  const dropped = await deployment.schema<Uninstalled>({ task: 'uninstall' });
  if (dropped.kind === 'standing') return refusal(dropped.cutovers);
  const versions = await deployment.deleteFlagVersions();
  const tables = dropped.kind === 'dropped' ? dropped.tables : [];
  return {
    document: { ...dropped, flagVersions: versions, next: lastCommand(at.stage) },
    text: [
      `The schema crossfade is dropped. ${tables.length === 0 ? 'No table had capture left.' : `Capture was taken off ${tables.map(printable).join(', ')}.`}`,
      `${counted(versions, 'stored version')} of the flags ${versions === 1 ? 'is' : 'are'} deleted.`,
      `Now, from the directory of the stack and at once, since its functions go on calling: ${lastCommand(at.stage)}`,
      'Both tables and their key stay: they hold the audit log.',
    ].join('\n'),
  };
}

const lastCommand = (stage: string) => `npx serverless remove --stage ${stage}`;

function refusal(cutovers: readonly Standing[]): Outcome {
  const lines = cutovers.map(
    ({ id, stage, commands }) =>
      `  ${printable(id)} is in ${printable(stage)}: ${commands.map((one) => `crossfade ${printable(one)}`).join(', or ')}`,
  );
  return {
    document: { kind: 'standing', cutovers },
    text: ['Nothing was removed: cutovers stand on the schema. End them first.', ...lines].join('\n'),
    exit: EXIT.held,
  };
}
