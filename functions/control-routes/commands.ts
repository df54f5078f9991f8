/** `POST /v1/cutovers/{cutover}/COMMAND`: one route for each command of the stage machine. */

import type { Scope } from '../../lib/adapters/http/token.ts';
import type { Composition } from '../../lib/compose/ports.ts';
import type { OperatorCommand } from '../../lib/flows/control/operate.ts';
import { runCommand } from '../../lib/flows/control/run-command.ts';
import {
  COMMAND_NAMES,
  type CommandName,
  commandBodies,
  findCutover,
  parseCommand,
  readIdempotencyKey,
  readIfMatch,
} from '../../lib/schemas/http.ts';
import type { Reply, Request, Route } from '../middleware.ts';
import { fingerprint, PUBLISHED } from './request.ts';

const COMMANDS: Readonly<Record<CommandName, { summary: string; scope?: Scope }>> = {
  start: { summary: 'Begins the cutover.' },
  advance: { summary: 'Goes to the next stage now; force skips evidence, never legality.' },
  approve: { summary: 'Approves the stage that waits for a person.' },
  pause: { summary: 'Holds automatic advancing.' },
  resume: { summary: 'Lets it advance automatically again.' },
  policy: { summary: 'Changes limits of the policy, for all stages or for one, until the next reset.' },
  reads: { summary: 'Takes its reads off the shadow, or gives them back; the stage stays.' },
  'shadow-writes': { summary: 'Turns writes to its shadow off, or on again.' },
  rollback: { summary: 'Goes back to the old side.' },
  complete: { summary: 'Promotes the shadow: it takes the place of the primary.', scope: 'control:complete' },
  cleanup: {
    summary: 'Drops the old side of what is completed; there is no way back.',
    scope: 'control:cleanup',
  },
  reset: { summary: 'Makes ready for another start after a rollback.' },
};

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
    scope: COMMANDS[name].scope ?? 'control:write',
    summary: COMMANDS[name].summary,
    body: commandBodies[name],
    headers: ['idempotency-key', 'if-match'],
    answers: PUBLISHED,
    handle: (composition, request) => command(name, composition, request),
  }),
);
