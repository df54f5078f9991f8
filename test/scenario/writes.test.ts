/** The master switch of writes to shadows: off, changes wait and nothing goes forward; on again, nothing was lost. */

import { describe, expect, it } from 'vitest';
import { writesGuard, writesHold } from '../../lib/core/holds/switches.ts';
import { switchShadowWrites } from '../../lib/flows/control/stop.ts';
import { stateIn } from '../property/samples.ts';
import { ID, type Run, run } from './run.ts';

const turn = ({ w }: Run, enabled: boolean, key?: string) =>
  switchShadowWrites(w.ports, w.cutovers, {
    enabled,
    reason: 'load',
    actor: 'ada',
    ...(key ? { idempotency: { key, fingerprint: key } } : {}),
  });

describe('the master switch of writes to shadows', () => {
  it('off, hints stay, nothing advances, by force neither; on again, everything arrives', async () => {
    const scene = run();
    await scene.reach('dual_write');
    await scene.minutes(2);
    expect(await turn(scene, false)).toEqual({ shadowWritesEnabled: false, published: true });
    expect(scene.w.served()!.cutovers[ID]!.shadow_writes).toBe(false);
    await scene.minutes(30);
    expect(scene.stage()).toBe('dual_write');
    expect((await scene.w.tables.inspecting.status(ID))!.outboxRows).toBeGreaterThan(0);
    expect(await scene.w.operate(ID, { type: 'advance', force: true, reason: 'now' })).toMatchObject({ code: 'held' });
    await turn(scene, true);
    for (let i = 0; i < 120 && scene.stage() !== 'full_100'; i += 1) await scene.minutes(1);
    expect(scene.stage()).toBe('full_100');
    scene.o.checkQuiet();
  });

  it('is not switched off under readers, which is said with what to do, and changes nothing', async () => {
    const scene = run();
    await scene.reach('full_100');
    await expect(turn(scene, false)).rejects.toMatchObject({ code: 'conflict', details: { cutovers: [ID] } });
    expect((await scene.w.state.readSystem()).shadowWritesEnabled).toBe(true);
  });

  it('is audited with actor and reason, and a request that comes twice changes it once', async () => {
    const scene = run();
    await turn(scene, false, 'once');
    const { version } = await scene.w.state.readSystem();
    await turn(scene, false, 'once');
    expect((await scene.w.state.readSystem()).version).toBe(version);
    const [entry] = await scene.w.state.readAudit('system', { limit: 1 });
    expect(entry).toMatchObject({
      actor: 'ada',
      event: { type: 'system_changed', change: { shadowWritesEnabled: false }, reason: 'load' },
    });
  });

  it('bars tables only, and takes readers away who came in the moment it was switched off', () => {
    const off = { shadowWritesEnabled: false };
    expect(writesHold(stateIn('dual_write'), off)).toMatchObject({ code: 'shadow_writes', ok: false });
    expect(writesHold(stateIn('dual_write'), { shadowWritesEnabled: true })).toBeNull();
    expect(writesHold(stateIn('dual_write', {}, 'component'), off)).toBeNull();
    expect(writesGuard(stateIn('dual_write'), off)).toBeNull();
    expect(writesGuard(stateIn('r1'), off)).toMatchObject({ ok: false });
  });
});
