/** Phases: how they stand, and commands on one of them. */

import type { Phase } from '../../lib/core/cutover/phase.ts';
import { phasesOf } from '../../lib/core/holds/phase-order.ts';
import type { PhaseCommand } from '../../lib/core/phases/command.ts';
import { operatePhase, viewOfPhases } from '../../lib/flows/control/phases.ts';
import type { Input } from '../../lib/schemas/input.ts';
import { findPhase, PATH } from '../../lib/schemas/path.ts';
import { PHASE_COMMAND_NAMES, PHASE_COMMANDS } from '../../lib/schemas/phases.ts';
import type { Knows } from '../http/parameters.ts';
import { type Parameter, route } from '../http/route.ts';
import { fingerprint, PUBLISHED } from './request.ts';

const SUMMARIES: Readonly<Record<PhaseCommand['type'], string>> = {
  check: 'Confirms a check, or withdraws that.',
  go: 'Starts a phase that waits, or ends one that has soaked.',
  extend: 'Lets the soak last longer.',
  rollback: 'Takes back the phase and all that depend on it, the last first.',
  reset: 'Lets a phase that was rolled back begin again.',
};

const phase: Parameter<Knows, Phase> = {
  ...PATH.phase,
  find: async (name, { cutovers }) => findPhase(phasesOf(await cutovers()), name),
};

type Body = ReturnType<(typeof PHASE_COMMANDS)[PhaseCommand['type']]['read']>;

const commands = PHASE_COMMAND_NAMES.map((type) => {
  const body: Input<Body> = PHASE_COMMANDS[type];
  return route({
    method: 'POST',
    path: `/v1/phases/{phase}/${type}`,
    scope: 'control:write',
    summary: SUMMARIES[type],
    params: { phase },
    body,
    headers: ['idempotency-key', 'if-match'],
    answers: PUBLISHED,
    handle: async ({ ports, cutovers }, { params, body: asked, headers, actor }) => {
      const basedOn = headers['if-match'];
      const result = await operatePhase(ports, await cutovers(), params.phase, {
        command: { type, ...asked } as PhaseCommand,
        actor,
        basedOn,
        idempotency: {
          key: headers['idempotency-key'],
          fingerprint: fingerprint(type, `phase ${params.phase.name}`, basedOn, asked),
        },
      });
      return { status: result.published ? 200 : 202, body: result, headers: { etag: `"${result.version}"` } };
    },
  });
});

export const phaseRoutes = [
  route({
    method: 'GET',
    path: '/v1/phases',
    scope: 'control:read',
    summary: 'All phases: what each has reached, and what it waits for.',
    handle: async ({ ports, cutovers }) => {
      const answer = await viewOfPhases(ports, await cutovers());
      return { status: 200, body: answer, headers: { etag: `"${answer.version}"` } };
    },
  }),
  ...commands,
];
