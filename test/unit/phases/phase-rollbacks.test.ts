/** A rollback of phases is carried out from the last one on, and a phase waits until all that rely on it are back. */

import { describe, expect, it } from 'vitest';
import { type CutoverState, INITIAL_SYSTEM } from '../../../lib/core/cutover/cutover.ts';
import { UNTOUCHED_PHASE } from '../../../lib/core/cutover/phase.ts';
import { defineCutovers } from '../../../lib/define/cutovers.ts';
import { definePhases } from '../../../lib/define/phases.ts';
import type { CarryOutPorts } from '../../../lib/flows/control/carry-out.ts';
import { carryOutRollbacks } from '../../../lib/flows/control/orchestrate.ts';
import { NOW, stateIn } from '../../property/samples.ts';

const IDS = ['planner', 'bundler', 'packer', 'executor'];
const DECLARED = definePhases(
  [
    { name: 'first', cutovers: ['planner'] },
    { name: 'second', cutovers: ['bundler', 'packer'], after: ['first'] },
    { name: 'third', cutovers: ['executor'], after: ['second'] },
  ],
  defineCutovers(IDS.map((id) => ({ id, kind: 'component' as const }))),
);
const fallen = { ...UNTOUCHED_PHASE, status: 'rolled_back' as const };

/** The ids that went back, in their order, and those that could not be read. */
async function rolledBack(unreadable: readonly string[], phases = ['first', 'second', 'third']) {
  const states = new Map<string, CutoverState>(IDS.map((id) => [id, { ...stateIn('r1', {}, 'component'), id }]));
  const ports = {
    state: {
      async readCutover(id: string) {
        if (unreadable.includes(id)) throw new Error('no answer');
        return states.get(id) ?? null;
      },
      async writeCutover({ after }: { after: CutoverState }) {
        states.set(after.id, after);
        return { kind: 'applied' };
      },
    },
    log: { event: () => {}, failure: () => {} },
  } as unknown as CarryOutPorts;
  const system = { ...INITIAL_SYSTEM, phases: Object.fromEntries(phases.map((name) => [name, fallen])) };
  const moved = await carryOutRollbacks(ports, DECLARED, system, { nowMs: NOW, actor: 'tick' });
  return moved.map(({ id }) => id);
}

describe('phases that were rolled back', () => {
  it('take their cutovers back, the last phase and the last cutover first, and no other phase', async () => {
    expect(await rolledBack([])).toEqual(['executor', 'packer', 'bundler', 'planner']);
    expect(await rolledBack([], ['second', 'third'])).toEqual(['executor', 'packer', 'bundler']);
  });

  it.each([
    [['executor'], []],
    [['packer'], ['executor', 'bundler']],
    [['bundler'], ['executor', 'packer']],
    [['planner'], ['executor', 'packer', 'bundler']],
  ])('wait for all that rely on them: without an answer of %j, %j go back', async (unreadable, expected) => {
    expect(await rolledBack(unreadable)).toEqual(expected);
  });
});
