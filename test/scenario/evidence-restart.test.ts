/** Evidence that an earlier version of the program has folded: the stage stays, its proof begins again, and the log says so once. */

import { describe, expect, it } from 'vitest';
import { world } from '../helpers/world.ts';
import { declarationOf } from '../property/samples.ts';

describe('evidence that cannot be read', () => {
  it('starts again in the same stage, with one entry', async () => {
    const w = world({ cutovers: [declarationOf('component')] });
    await w.operate('customer', { type: 'start' });
    for (let i = 0; i < 17; i += 1) await w.minute();
    const before = (await w.verdicts.read('customer'))!;
    const { stage } = (await w.state.readCutover('customer'))!;
    expect([stage, before.evidence!.minutes > 0]).toEqual(['r1', true]);
    const restarted = async () =>
      (await w.state.readAudit('customer', { limit: 100 })).filter(({ event }) => event.type === 'evidence_restarted');
    expect(await restarted()).toEqual([]);
    await w.verdicts.write('customer', { ...before, evidence: null });
    await w.minute();
    expect(await restarted()).toMatchObject([{ actor: 'tick', event: { stage } }]);
    expect((await w.state.readCutover('customer'))!.stage).toBe(stage);
    // Folded again from the windows that are there.
    expect((await w.verdicts.read('customer'))!.evidence!.minutes).toBeGreaterThan(0);
    await w.minute();
    expect(await restarted()).toHaveLength(1);
  });
});
