/**
 * Writes to a shadow go off after its readers have left it: reads to the primary, their flags deployed, then the switch. Two
 * commands for one request, each with its entry. A request that comes again goes on where the first one stopped.
 */

import type { CutoverDeclaration } from '../core/cutover.ts';
import { CrossfadeError } from '../core/errors.ts';
import { readsShadow } from '../core/switches.ts';
import { type Operation, type OperationResult, operate } from './operate.ts';

type WritesOff = Operation & { command: { type: 'shadow-writes'; reason: string } };

export async function switchWritesOff(
  ports: Parameters<typeof operate>[0],
  declarations: readonly CutoverDeclaration[],
  declaration: CutoverDeclaration,
  operation: WritesOff,
): Promise<OperationResult> {
  const { command, idempotency } = operation;
  const leaving: Operation = {
    ...operation,
    command: { type: 'reads', to: 'primary', reason: command.reason },
    idempotency: { key: `${idempotency.key}:reads`, fingerprint: `${idempotency.fingerprint}:reads` },
  };
  if (!(await ports.state.readIdempotency(leaving.idempotency.key))) {
    const state = await ports.state.readCutover(declaration.id);
    if (!state || !readsShadow(state)) return operate(ports, declarations, declaration, operation);
  }
  const left = await operate(ports, declarations, declaration, leaving);
  if (!left.published) {
    throw new CrossfadeError(
      'held',
      `The reads of cutover '${declaration.id}' are on their way to the primary, but their flags could not be deployed yet, so its shadow is still written. Every tick tries to deploy them; repeat the command with the same idempotency key.`,
      { retryable: true, details: { version: left.answer.version } },
    );
  }
  return operate(ports, declarations, declaration, { ...operation, basedOn: left.answer.version });
}
