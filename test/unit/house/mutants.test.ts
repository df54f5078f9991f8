/** Named mutants fit the SQL as it is now, each in one place; those of the source compile. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { PLANTS, planted } from '../../chaos/plants.ts';
import { SCENES } from '../../chaos/scenes.ts';
import { replaceOnce } from '../../helpers/replace-once.ts';
import { namedMutants } from '../../mutants/named.ts';
import { mutantsOf, mutated } from '../../mutants/operators.ts';
import { REASONS } from '../../mutants/survivors.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

describe('named mutants of the SQL', () => {
  const named = namedMutants(ROOT);

  it('are at least 80, and each has a name of its own', () => {
    expect(named.length).toBeGreaterThanOrEqual(80);
    expect(new Set(named.map(({ id }) => id)).size).toBe(named.length);
  });

  it.each(named.map((mutant) => [mutant.id, mutant] as const))('%s', (_, { text, change }) => {
    expect(replaceOnce(text, change, 'The SQL')).not.toBe(text);
  });

  it('what survives and is listed is a mutant', () => {
    const ids = new Set(named.map(({ id }) => id));
    expect(Object.keys(REASONS).filter((id) => !id.startsWith('lib/') && !ids.has(id))).toEqual([]);
  });
});

describe('scenes of chaos', () => {
  it('are tests that are there', () => {
    for (const { tests } of Object.values(SCENES))
      for (const name of tests) expect(existsSync(join(ROOT, 'test', name)), name).toBe(true);
  });

  it('and the faults are on the page of the tests', () => {
    const page = readFileSync(join(ROOT, 'test', 'README.md'), 'utf8');
    for (const [name, { breaks, checks }] of Object.entries(SCENES))
      expect(page).toContain(`| \`${name}\` | ${breaks} | ${checks} |`);
    for (const [name, { scene }] of Object.entries(PLANTS))
      expect(page).toMatch(new RegExp(`^\\| \`${name}\` \\| .+ \\| \`${scene}\` \\|$`, 'm'));
  });

  it.each(Object.entries(PLANTS))('the fault %s fits what is there', (_, plant) => {
    expect(planted(plant).text).not.toBe(readFileSync(join(ROOT, plant.file), 'utf8'));
  });
});

describe('mutants of the source', () => {
  it('are made from the syntax tree: nothing in comments, types or texts is changed', () => {
    const text = [
      '/** a < b */',
      'type T = { n: 1 | 2; b: true };',
      "const said = 'a < b' + `a < b`;",
      'export const f = (a: number, b: number): boolean => { if (a < b && !done) stop(); return a ?? b; };',
    ].join('\n');
    const made = mutantsOf('f.ts', text);
    expect(new Set(made.map(({ line }) => line))).toEqual(new Set([4]));
    expect(made.map(({ operator }) => operator).sort()).toEqual(
      ['always false', 'always true', '&& → ||', '< → <=', 'negate', 'no call', 'no default'].sort(),
    );
    for (const mutant of made) expect(() => mutantsOf('f.ts', mutated(text, mutant))).not.toThrow();
  });
});
