/** The second phase of a life: nothing fails any more. First ticks alone repair, then an operator goes on. */

import { isUnderWay } from '../../lib/core/cutover/stage-kinds.ts';
import { resetSystem } from '../../lib/flows/control/stop.ts';
import { repairTable, verifyNow } from '../../lib/flows/rows/verify.ts';
import { attempt, calmDown, type Life, TABLE } from './chaos.ts';
import { inside } from './oracle.ts';

const HEAL_MINUTES = 24;

/** Faults end. Five minutes later all agrees; half an hour later a healthy cutover is completed, or says what holds it. */
export async function heal(life: Life): Promise<void> {
  const { w, o, random } = life;
  calmDown(life);
  const startOver = random() < 0.5;
  for (let minute = 0; minute < HEAL_MINUTES; minute += 1) {
    o.calm(minute >= 3);
    await w.minute((moment) => (moment === 5 ? settle(life, minute, startOver) : undefined));
    o.check();
  }
  await o.checkAudit();
  o.checkQuiet();
  for (const { id } of w.cutovers) await arrived(life, id, startOver);
}

/** What a patient operator does in the second phase, after ticks alone have had a while to repair. */
async function settle(life: Life, minute: number, startOver: boolean): Promise<void> {
  const { w, o } = life;
  if (minute < 6) return;
  if (minute === 6 && (await w.state.readSystem()).emergencyStop)
    await attempt(resetSystem(w.ports, w.cutovers, { confirm: 'system', actor: 'ada' }));
  for (const declaration of w.cutovers) {
    const { id } = declaration;
    const { stageKind, paused, approved, pending, switches } = o.state(id);
    const serving = isUnderWay({ stageKind });
    if (pending) continue;
    if (minute === 6 && !serving) life.startedOver.add(id);
    if (startOver && serving && !life.startedOver.has(id)) {
      // Repeated until it is done: a fault of the first phase may still lie in the way of one write.
      const { ok } = await w.operate(id, { type: 'rollback', reason: 'start over' });
      if (ok) life.startedOver.add(id);
    } else if (stageKind === 'rolled_back') await w.operate(id, { type: 'reset', confirm: id });
    else if (stageKind === 'disabled') await w.operate(id, { type: 'start' });
    else if (serving && !switches.shadowWrites)
      await w.operate(id, { type: 'shadow-writes', enabled: true, reason: 'healed' });
    else if (serving && !switches.shadowReads) await w.operate(id, { type: 'reads', to: 'shadow', reason: 'healed' });
    else if (serving && paused) await w.operate(id, { type: 'resume' });
    else if (serving && !approved && declaration.policy.approvalRequired) await w.operate(id, { type: 'approve' });
    else if (serving && stageKind !== 'full' && !declaration.policy.autoAdvance)
      await w.operate(id, { type: 'advance' });
    else if (stageKind === 'full') await w.operate(id, { type: 'complete', confirm: id });
    if (minute === 7 && serving && id === TABLE) {
      await attempt(verifyNow(w.ports, declaration));
      await attempt(repairTable(w.ports, declaration));
    }
  }
}

async function arrived({ w, o }: Life, id: string, startOver: boolean): Promise<void> {
  const state = o.state(id);
  const verdict = (await w.verdicts.read(id))?.verdict;
  const fail = (what: string): never => {
    throw new Error(`I26: ${id} is in ${state.stage} ${HEAL_MINUTES} minutes after faults ended: ${what}`);
  };
  if (state.pending) fail(`${state.pending.action} is still pending`);
  const flag = w.served()?.cutovers[id];
  if (state.version > 0 && (flag?.version !== state.version || flag.epoch !== state.epoch)) fail('its flags are old');
  if (id === TABLE && state.version > 0 && inside(w, id).direction !== DIRECTION[state.stageKind])
    fail(`changes flow ${inside(w, id).direction}`);
  if (state.stageKind === 'completed' || state.stageKind === 'cleaned') return;
  const held = verdict?.verdict === 'hold' ? verdict.reasons.map(({ code }) => code).join(', ') : '';
  if (startOver || held === '') fail(`held for '${held}'`);
}

const DIRECTION: Readonly<Record<string, string>> = {
  disabled: 'none',
  dual_write: 'forward',
  ramp: 'forward',
  full: 'forward',
  completed: 'reverse',
  cleaned: 'none',
  rolled_back: 'none',
};
