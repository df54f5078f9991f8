/** `POST /v1/cutovers/{cutover}/COMMAND`: one route for each command of the stage machine. */

import type { Scope } from '../../lib/adapters/http/token.ts';
import type { Composition } from '../../lib/compose.ts';
import { type Operation, type OperatorCommand, operate } from '../../lib/flows/operate.ts';
import { switchWritesOff } from '../../lib/flows/writes-off.ts';
import {
  COMMAND_NAMES,
  type CommandName,
  findCutover,
  parseCommand,
  readIdempotencyKey,
  readIfMatch,
} from '../../lib/schemas/http.ts';
import type { Reply, Request, Route } from '../middleware.ts';
import { fingerprint } from './request.ts';

const SCOPES: Partial<Record<CommandName, Scope>> = { complete: 'control:complete', cleanup: 'control:cleanup' };

async function runCommand(name: CommandName, composition: Composition, request: Request): Promise<Reply> {
  const declarations = await composition.cutovers();
  const declaration = findCutover(declarations, request.params.cutover);
  const command = parseCommand(name, request.body) as OperatorCommand;
  const key = readIdempotencyKey(request.header('idempotency-key'));
  const basedOn = readIfMatch(request.header('if-match'));
  const { ports } = composition;
  const operation: Operation = {
    command,
    actor: request.actor,
    basedOn,
    idempotency: { key, fingerprint: fingerprint(name, declaration.id, basedOn, request.body) },
  };
  const { answer, published } =
    command.type === 'shadow-writes' && !command.enabled
      ? await switchWritesOff(ports, declarations, declaration, { ...operation, command })
      : await operate(ports, declarations, declaration, operation);
  return {
    status: published ? 200 : 202,
    body: { ...answer, published },
    headers: { etag: `"${answer.version}"` },
  };
}

export const commandRoutes: Route[] = COMMAND_NAMES.map(
  (name): Route => ({
    method: 'POST',
    path: `/v1/cutovers/{cutover}/${name}`,
    scope: SCOPES[name] ?? 'control:write',
    handle: (composition, request) => runCommand(name, composition, request),
  }),
);
