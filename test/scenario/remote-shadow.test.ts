/** A shadow in another database moves reads through every stage, then writes, and both back. */

import { describe, expect, it } from 'vitest';
import type { CutoverDeclaration } from '../../lib/core/cutover/cutover.ts';
import { ID, run, shortTable } from './run.ts';

const remote = (): CutoverDeclaration => {
  const declaration = shortTable();
  if (declaration.kind !== 'table') throw new Error('A table is declared.');
  return { ...declaration, table: { ...declaration.table, connection: 'new' } };
};

describe('a cutover with its shadow in another database', () => {
  it('comes to the last stage, is completed, and goes back', async () => {
    const scene = run({ cutovers: [remote()] });
    await scene.reach('full_100');
    await scene.accepted({ type: 'complete', confirm: ID, force: true, reason: 'now' });
    expect(scene.stage()).toBe('completed');
    await scene.accepted({ type: 'rollback', reason: 'seen enough' });
    await scene.minutes(2);
    expect(scene.stage()).toBe('rolled_back');
  });
});
