/** Alert rules in a living world: they tell, they hold, they roll back, and they never stop the loop. */

import { describe, expect, it } from 'vitest';
import { world } from '../helpers/world.ts';
import { declarationOf } from '../property/samples.ts';

async function lived(w: ReturnType<typeof world>, minutes: number, until: () => Promise<boolean> = async () => false) {
  for (let i = 0; i < minutes && !(await until()); i += 1) await w.minute();
}

const stageOf = async (w: ReturnType<typeof world>) => (await w.state.readCutover('customer'))?.stage;

describe('a rule that rolls back', () => {
  it('does so within two minutes of its limit, and both are told with their figures', async () => {
    const alerts = [
      { id: 'load', metric: 'operations' as const, operator: '>' as const, value: 1, action: 'rollback' as const },
    ];
    const w = world({ cutovers: [declarationOf('component', { alerts })] });
    await w.operate('customer', { type: 'start' });
    await lived(w, 60, async () => (await stageOf(w)) === 'rolled_back');
    expect(await w.state.readCutover('customer')).toMatchObject({
      stage: 'rolled_back',
      rollback: { fromStage: 'r1', reason: expect.stringContaining('Alert: customer: operations of the shadow') },
    });
    const told = w.channel.sent.filter(({ change }) => change === 'fired').map(({ alert }) => alert);
    expect(told).toEqual(expect.arrayContaining(['customer.load', 'customer.rolled_back']));
    await lived(w, 3);
    expect(w.channel.sent.filter(({ alert }) => alert === 'customer.rolled_back')).toHaveLength(1);
    await w.operate('customer', { type: 'reset', confirm: 'customer' });
    await lived(w, 2);
    expect(w.channel.sent.at(-1)).toMatchObject({ alert: 'customer.rolled_back', change: 'resolved' });
  });
});

describe('a rule that holds', () => {
  it('holds while it fires, and a command to advance is told why', async () => {
    const alerts = [
      { id: 'load', metric: 'operations' as const, operator: '>' as const, value: 1, action: 'hold' as const },
    ];
    const w = world({ cutovers: [declarationOf('component', { alerts })] });
    await w.operate('customer', { type: 'start' });
    await lived(w, 90);
    expect(await stageOf(w)).toBe('r1');
    expect(await w.operate('customer', { type: 'advance' })).toMatchObject({ ok: false, code: 'held' });
  });

  it('the same world without it goes on: negative control', async () => {
    const w = world({ cutovers: [declarationOf('component')], load: { weight: 20 } });
    await w.operate('customer', { type: 'start' });
    await lived(w, 90);
    expect(['r2', 'full_100']).toContain(await stageOf(w));
    expect(w.channel.sent).toEqual([]);
  });
});

describe('alerts that cannot be written or sent', () => {
  it('change nothing of what the ticks do', async () => {
    const w = world({ cutovers: [declarationOf('component')], load: { weight: 20 } });
    w.alerts.unavailable(true);
    w.channel.failing(true);
    await w.operate('customer', { type: 'start' });
    await lived(w, 90);
    expect(['r2', 'full_100']).toContain(await stageOf(w));
    expect(w.failures.some(({ name }) => name === 'alerts_unreadable')).toBe(true);
  });
});
