/** The schema goes only when no cutover stands on it, whatever its stage. */

import { describe, expect, it } from 'vitest';
import { uninstall } from '../../../lib/flows/control/uninstall.ts';
import type { SchemaOwner } from '../../../lib/ports/schema.ts';
import type { StateStore } from '../../../lib/ports/state.ts';
import { STAGES, type StageName, stateIn } from '../../property/samples.ts';

type Seen = Awaited<ReturnType<StateStore['readAll']>>;

function world(states: Seen) {
  const done: string[] = [];
  const readAll = async () => states;
  const schema = (name: string): Pick<SchemaOwner, 'drop'> => ({
    drop: async () => {
      done.push(name);
      return { tables: ['public.customer'] };
    },
  });
  return {
    done,
    ports: { state: { readAll } as StateStore, schema: schema('primary'), connections: { new: schema('new') } },
  };
}

/** By stage: the commands after which the schema is needed no more. None: it is not needed. */
const NEEDED: Readonly<Record<StageName, readonly string[]>> = {
  disabled: [],
  dual_write: ['rollback customer --reason REASON'],
  r1: ['rollback customer --reason REASON'],
  r2: ['rollback customer --reason REASON'],
  full_100: ['rollback customer --reason REASON'],
  completed: ['cleanup customer --confirm customer', 'rollback customer --reason REASON'],
  cleaned: [],
  rolled_back: [],
};

describe('uninstall', () => {
  it.each(Object.keys(STAGES) as StageName[])('with a cutover in %s', async (stage) => {
    const { done, ports } = world([stateIn('disabled', { id: 'orders' }), stateIn(stage)]);
    const commands = NEEDED[stage];
    const stands = commands.length > 0;
    expect(await uninstall(ports, { dryRun: true })).toEqual(
      stands ? { kind: 'standing', cutovers: [{ id: 'customer', stage, commands }] } : { kind: 'ready' },
    );
    expect(done).toEqual([]);
    expect((await uninstall(ports, { dryRun: false })).kind).toBe(stands ? 'standing' : 'dropped');
    expect(done).toEqual(stands ? [] : ['primary', 'new']);
  });

  it('takes a state that cannot be read for one that stands', async () => {
    const { done, ports } = world([{ id: 'customer', invalid: 'no stage' }]);
    expect((await uninstall(ports, { dryRun: false })).kind).toBe('standing');
    expect(done).toEqual([]);
  });
});
