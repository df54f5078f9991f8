/** A shadow in another database moves reads through every stage and back. Completion is refused, by force too. */

import { describe, expect, it } from 'vitest';
import type { CutoverDeclaration } from '../../lib/core/cutover/cutover.ts';
import { ID, run, shortTable } from './run.ts';

const remote = (): CutoverDeclaration => {
  const declaration = shortTable();
  if (declaration.kind !== 'table') throw new Error('A table is declared.');
  return { ...declaration, table: { ...declaration.table, connection: 'new' } };
};

describe('a cutover with its shadow in another database', () => {
  it('comes to the last stage, is not completed, and goes back', async () => {
    const scene = run({ cutovers: [remote()] });
    await scene.reach('full_100');
    for (const how of [{}, { force: true, reason: 'now' }])
      expect(await scene.w.operate(ID, { type: 'complete', confirm: ID, ...how })).toMatchObject({
        ok: false,
        code: 'illegal_transition',
        message: expect.stringContaining('moves reads only: writes stay with the primary'),
      });
    expect(scene.stage()).toBe('full_100');
    await scene.accepted({ type: 'rollback', reason: 'seen enough' });
    await scene.minutes(2);
    expect(scene.stage()).toBe('rolled_back');
  });
});
