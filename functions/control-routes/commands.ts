/** `POST /v1/cutovers/{cutover}/COMMAND`: one route for each command of the stage machine. */

import type { Scope } from '../../lib/adapters/http/scopes.ts';
import type { ApiComposition } from '../../lib/compose/callers.ts';
import type { CutoverDeclaration } from '../../lib/core/cutover/cutover.ts';
import type { OperatorCommand } from '../../lib/flows/control/operate.ts';
import { runCommand } from '../../lib/flows/control/run-command.ts';
import { COMMAND_NAMES, COMMANDS, type CommandName } from '../../lib/schemas/http.ts';
import type { Input } from '../../lib/schemas/input.ts';
import { cutover } from '../http/parameters.ts';
import { route } from '../http/route.ts';
import { fingerprint, PUBLISHED } from './request.ts';

const ROUTES: Readonly<Record<CommandName, { summary: string; scope?: Scope }>> = {
  start: { summary: 'Begins the cutover.' },
  advance: { summary: 'Goes to the next stage now. Force skips evidence, never the rules of the stages.' },
  approve: { summary: 'Approves the stage that waits for a person.' },
  pause: { summary: 'Holds automatic advancing.' },
  resume: { summary: 'Lets the cutover advance automatically again.' },
  policy: { summary: 'Changes limits of the policy, for all stages or for one, until the next reset.' },
  reads: { summary: 'Takes its reads off the shadow, or gives them back; the stage stays.' },
  'shadow-writes': { summary: 'Turns writes to its shadow off, or on again.' },
  rollback: { summary: 'Goes back to the old side.' },
  complete: { summary: 'Promotes the shadow: it takes the place of the primary.', scope: 'control:complete' },
  cleanup: {
    summary: 'Drops the old side of what is completed; there is no way back.',
    scope: 'control:cleanup',
  },
  reset: { summary: 'Makes the cutover ready for another start after a rollback.' },
};

type Body = ReturnType<(typeof COMMANDS)[CommandName]['read']>;

/** A start gets the report of its rehearsal as what was verified of it. */
async function withRehearsal(
  { rehearsal }: Pick<ApiComposition, 'rehearsal'>,
  declaration: CutoverDeclaration,
  asked: Body,
): Promise<object> {
  const { rehearsal: signed, ...rest } = asked as { rehearsal?: string };
  if (signed === undefined) return asked;
  return { ...rest, rehearsal: await rehearsal(signed, declaration) };
}

export const commandRoutes = COMMAND_NAMES.map((name) => {
  const body: Input<Body> = COMMANDS[name];
  return route({
    method: 'POST',
    path: `/v1/cutovers/{cutover}/${name}`,
    scope: ROUTES[name].scope ?? 'control:write',
    summary: ROUTES[name].summary,
    params: { cutover },
    body,
    headers: ['idempotency-key', 'if-match'],
    answers: PUBLISHED,
    handle: async (composition, { params, body: asked, headers, actor }) => {
      const { ports, cutovers } = composition;
      const basedOn = headers['if-match'];
      const { answer, published } = await runCommand(ports, await cutovers(), params.cutover, {
        command: { type: name, ...(await withRehearsal(composition, params.cutover, asked)) } as OperatorCommand,
        actor,
        basedOn,
        idempotency: {
          key: headers['idempotency-key'],
          fingerprint: fingerprint(name, params.cutover.id, basedOn, asked),
        },
      });
      return {
        status: published ? 200 : 202,
        body: { ...answer, published },
        headers: { etag: `"${answer.version}"` },
      };
    },
  });
});
