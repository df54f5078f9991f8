/** `POST /v1/cutovers/{cutover}/COMMAND`: one route for each command of the stage machine. */

import type { Scope } from '../../lib/adapters/http/token.ts';
import type { Composition } from '../../lib/compose.ts';
import type { OperatorCommand } from '../../lib/flows/operate.ts';
import { runCommand } from '../../lib/flows/run-command.ts';
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

async function command(name: CommandName, composition: Composition, request: Request): Promise<Reply> {
  const declarations = await composition.cutovers();
  const declaration = findCutover(declarations, request.params.cutover);
  const asked = parseCommand(name, request.body) as OperatorCommand;
  const key = readIdempotencyKey(request.header('idempotency-key'));
  const basedOn = readIfMatch(request.header('if-match'));
  const { answer, published } = await runCommand(composition.ports, declarations, declaration, {
    command: asked,
    actor: request.actor,
    basedOn,
    idempotency: { key, fingerprint: fingerprint(name, declaration.id, basedOn, request.body) },
  });
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
    handle: (composition, request) => command(name, composition, request),
  }),
);
