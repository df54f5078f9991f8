/** Phases for people: how they stand, and a command on one of them. */

import { CrossfadeError, isDenial } from '../../core/base/errors.ts';
import type { CutoverDeclaration, SystemState } from '../../core/cutover/cutover.ts';
import type { Phase } from '../../core/cutover/phase.ts';
import { phasesOf } from '../../core/holds/phase-order.ts';
import { decidePhase, type PhaseCommand } from '../../core/phases/command.ts';
import { phaseEvents } from '../../core/phases/events.ts';
import type { Members } from '../../core/phases/step.ts';
import { type PhaseView, viewPhases } from '../../core/phases/view.ts';
import type { CarryOutPorts } from './carry-out.ts';
import { changeSystem } from './change-system.ts';
import { type Around, type CollectPorts, collectAround } from './collect.ts';
import { look } from './look.ts';
import { carryOutRollbacks } from './orchestrate.ts';
import { type ReconcilePorts, reconcile } from './reconcile.ts';
import { recordDenial } from './record-denial.ts';
import type { MovedBack } from './roll-back-one.ts';
import { checkSameRequest } from './same-request.ts';

type Needs = CarryOutPorts & CollectPorts & ReconcilePorts;

export type PhasesAnswer = {
  atMs: number;
  /** Version of the system, which commands on phases are based on. */
  version: number;
  migrationPhase: string;
  emergencyStop: boolean;
  phases: readonly PhaseView[];
};

export type PhaseOperation = {
  command: PhaseCommand;
  actor: string;
  basedOn: number;
  idempotency: { key: string; fingerprint: string };
};

export type PhaseResult = {
  phase: string;
  status: string;
  version: number;
  migrationPhase: string;
  /** Cutovers that this call has rolled back. */
  moved: readonly (MovedBack & { id: string })[];
  /** True when the flags that say so are deployed. */
  published: boolean;
};

export async function viewOfPhases(ports: Needs, declarations: readonly CutoverDeclaration[]): Promise<PhasesAnswer> {
  const { around, members } = await lookAtMembers(ports, declarations);
  const { system, nowMs } = around;
  const { version, migrationPhase, emergencyStop } = system;
  const phases = viewPhases(phasesOf(declarations), system, members, nowMs);
  return { atMs: nowMs, version, migrationPhase, emergencyStop, phases };
}

/** @throws CrossfadeError `stale_version`, and what the phase answers to the command */
export async function operatePhase(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  phase: Phase,
  { command, actor, basedOn, idempotency }: PhaseOperation,
): Promise<PhaseResult> {
  const by = { nowMs: ports.clock.now(), actor };
  const phases = phasesOf(declarations);
  const earlier = await ports.state.readIdempotency(idempotency.key);
  if (earlier) checkSameRequest(earlier, actor, idempotency.fingerprint);
  const answer = earlier
    ? (earlier.answer.body as Answer)
    : await decideOnce(ports, declarations, { phases, phase }, { command, actor, basedOn, idempotency });
  const system = await ports.state.readSystem();
  const moved = command.type === 'rollback' ? await carryOutRollbacks(ports, declarations, system, by) : [];
  const { published } = await reconcile(ports, declarations).catch((error) => {
    ports.log.failure('reconcile_failed', error, { phase: phase.name });
    return { published: false };
  });
  return { ...answer, moved, published };
}

type Answer = Pick<PhaseResult, 'phase' | 'status' | 'version' | 'migrationPhase'>;

const answerOf = (phase: Phase, { version, migrationPhase, phases }: SystemState): Answer => ({
  phase: phase.name,
  status: phases[phase.name]?.status ?? 'waiting',
  version,
  migrationPhase,
});

async function decideOnce(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
  { phases, phase }: { phases: readonly Phase[]; phase: Phase },
  { command, actor, basedOn, idempotency }: PhaseOperation,
): Promise<Answer> {
  const { around, members } = await lookAtMembers(ports, declarations);
  const by = { nowMs: around.nowMs, actor };
  try {
    const { system } = await changeSystem(
      ports,
      (system) => {
        if (system.version !== basedOn) throw stale(basedOn, system);
        const decision = decidePhase(phase, command, { phases, system, members, nowMs: by.nowMs });
        if (decision.kind === 'accepted') return phaseEvents(phases, system, decision.steps);
        throw new CrossfadeError(decision.code, decision.message, { details: decision.details ?? {} });
      },
      by,
      { ...idempotency, answer: (after) => answerOf(phase, after) },
    );
    return answerOf(phase, system);
  } catch (error) {
    if (error instanceof CrossfadeError && !error.retryable && isDenial(error.code))
      await recordDenial(ports, null, { command: `${command.type} of phase ${phase.name}`, error }, by);
    throw error;
  }
}

function stale(basedOn: number, { version }: SystemState): CrossfadeError {
  return new CrossfadeError(
    'stale_version',
    `The command was based on version ${basedOn} of the phases, which are at version ${version}. Look at them again ('crossfade phases') and repeat the command if it still applies.`,
    { details: { version } },
  );
}

/** Every cutover of a phase as the gates see it; one whose state cannot be read is left out. */
async function lookAtMembers(
  ports: Needs,
  declarations: readonly CutoverDeclaration[],
): Promise<{ around: Around; members: Members }> {
  const inPhases = declarations.filter(({ phase }) => phase);
  const around = await collectAround(ports, inPhases);
  const readable = inPhases.filter(({ id }) => !('invalid' in (around.states.get(id) ?? {})));
  const looks = await Promise.all(readable.map((declaration) => look(ports, around, declaration)));
  return { around, members: new Map(looks.map((one) => [one.id, one])) };
}
