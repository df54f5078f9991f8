/** Phases: how they stand, and commands on one of them. */

import { phasesOf } from '../../lib/core/holds/phase-order.ts';
import type { PhaseCommand } from '../../lib/core/phases/command.ts';
import { operatePhase, viewOfPhases } from '../../lib/flows/control/phases.ts';
import { readIdempotencyKey, readIfMatch } from '../../lib/schemas/http.ts';
import { findPhase, PHASE_COMMANDS, parsePhaseCommand, phaseBodies } from '../../lib/schemas/phases.ts';
import type { Route } from '../middleware.ts';
import { fingerprint, PUBLISHED } from './request.ts';

const SUMMARIES: Readonly<Record<PhaseCommand['type'], string>> = {
  check: 'Confirms a check, or withdraws that.',
  go: 'Starts a phase that waits, or ends one that has soaked.',
  extend: 'Lets the soak last longer.',
  rollback: 'Takes back the phase and all that depend on it, the last first.',
  reset: 'Lets a phase that was rolled back begin again.',
};

const commands = PHASE_COMMANDS.map(
  (type): Route => ({
    method: 'POST',
    path: `/v1/phases/{phase}/${type}`,
    scope: 'control:write',
    summary: SUMMARIES[type],
    body: phaseBodies[type],
    headers: ['idempotency-key', 'if-match'],
    answers: PUBLISHED,
    handle: async (composition, request) => {
      const declarations = await composition.cutovers();
      const phase = findPhase(phasesOf(declarations), request.params.phase);
      const command = parsePhaseCommand(type, request.body);
      const key = readIdempotencyKey(request.header('idempotency-key'));
      const basedOn = readIfMatch(request.header('if-match'));
      const result = await operatePhase(composition.ports, declarations, phase, {
        command,
        actor: request.actor,
        basedOn,
        idempotency: { key, fingerprint: fingerprint(type, `phase ${phase.name}`, basedOn, request.body) },
      });
      return { status: result.published ? 200 : 202, body: result, headers: { etag: `"${result.version}"` } };
    },
  }),
);

export const phaseRoutes: Route[] = [
  {
    method: 'GET',
    path: '/v1/phases',
    scope: 'control:read',
    summary: 'All phases: what each has reached, and what it waits for.',
    handle: async (composition) => {
      const answer = await viewOfPhases(composition.ports, await composition.cutovers());
      return { status: 200, body: answer, headers: { etag: `"${answer.version}"` } };
    },
  },
  ...commands,
];
