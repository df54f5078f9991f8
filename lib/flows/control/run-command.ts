/**
 * A command as it was asked for. All are one command of the stage machine but one: writes to a shadow go off after its readers
 * have left it, so reads are sent to the primary first and their flags deployed. Each has its entry, and a request that comes
 * again goes on where the first one stopped.
 */

import { CrossfadeError } from '../../core/base/errors.ts';
import type { CutoverDeclaration } from '../../core/cutover/cutover.ts';
import { readsShadow } from '../../core/cutover/switches.ts';
import { type Operation, type OperationResult, operate } from './operate.ts';

type Needs = Parameters<typeof operate>[0];

export async function runCommand(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  declaration: CutoverDeclaration,
  operation: Operation,
): Promise<OperationResult> {
  const { command } = operation;
  const leaving = command.type === 'shadow-writes' && !command.enabled ? leavingFirst(operation, command.reason) : null;
  if (!leaving || !(await isNeeded(ports, declaration, leaving)))
    return operate(ports, declarations, declaration, operation);
  const left = await operate(ports, declarations, declaration, leaving);
  if (left.published) return operate(ports, declarations, declaration, { ...operation, basedOn: left.answer.version });
  throw new CrossfadeError(
    'held',
    `The reads of cutover '${declaration.id}' are on their way to the primary, but the flags that say so could not be deployed yet, so its shadow is still written. Every tick tries to deploy them; repeat the command with the same idempotency key, or as a new one.`,
    { retryable: true, details: { version: left.answer.version } },
  );
}

const leavingFirst = (operation: Operation, reason: string): Operation => ({
  ...operation,
  command: { type: 'reads', to: 'primary', reason },
  idempotency: {
    key: `${operation.idempotency.key}:reads`,
    fingerprint: `${operation.idempotency.fingerprint}:reads`,
  },
});

/** Readers are there, or were when this very request came first. */
async function isNeeded(ports: Needs, { id }: CutoverDeclaration, leaving: Operation): Promise<boolean> {
  if (await ports.state.readIdempotency(leaving.idempotency.key)) return true;
  const state = await ports.state.readCutover(id);
  return state !== null && readsShadow(state);
}
