/** Named mutants fit the SQL as it is now, each in one place; those of the source compile. */

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { PLANTS, planted } from '../../chaos/plants.ts';
import { SCENES } from '../../chaos/scenes.ts';
import { replaceOnce } from '../../helpers/replace-once.ts';
import { sampled } from '../../mutants/candidates.ts';
import { namedMutants, unnamedMutants } from '../../mutants/named.ts';
import { mutantsOf, mutated } from '../../mutants/operators.ts';
import { rounds } from '../../mutants/reach.ts';
import { mutantsOfStatement, mutantsOfTemplates } from '../../mutants/sql-operators.ts';
import { REASONS } from '../../mutants/survivors.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

/** Those of the files that the names begin with. */
const candidatesIn = (names: readonly string[]) =>
  [...new Set(names.map((name) => name.split(': ')[0]!))]
    .filter((file) => /^(lib|functions)\//.test(file))
    .flatMap((file) => mutantsOf(file, readFileSync(join(ROOT, file), 'utf8')));

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
    const unnamed = unnamedMutants(ROOT).map(({ mutant }) => mutant);
    const ids = new Set([...named, ...unnamed, ...candidatesIn(Object.keys(REASONS))].map(({ id }) => id));
    expect(Object.keys(REASONS).filter((id) => !ids.has(id))).toEqual([]);
  });
});

describe('mutants of the SQL that rules make', () => {
  it('change statements: nothing in comments and quoted texts, and no range is torn apart', () => {
    const text = [
      'CREATE OR REPLACE FUNCTION f() AS $$ BEGIN',
      "  -- a < b AND IF x THEN, and 'a AND b'",
      "  IF a < 7 AND n BETWEEN 1 AND 2 THEN RAISE EXCEPTION 'a AND b'; END IF;",
      '  PERFORM g(a) FROM t WHERE x IS NOT NULL FOR UPDATE;',
    ].join('\n');
    const made = mutantsOfStatement('f', text);
    expect(new Set(made.map(({ line }) => line))).toEqual(new Set([3, 4]));
    expect(made.map(({ operator }) => operator).toSorted()).toEqual(
      [
        '< → <=',
        'AND → OR',
        'always',
        'never',
        'one more',
        'no refusal',
        'no call',
        'no lock',
        'not null → null',
      ].toSorted(),
    );
    expect(made.map((mutant) => mutated(text, mutant))).toContain(text.replace('a < 7', 'a < 1 + 7'));
  });

  it('of templates change the SQL, and what is put into it stays', () => {
    const text = `const sql = (b: boolean) => \`SELECT \${b && true ? 1 : 2} WHERE a AND b IS NULL\`;`;
    expect(mutantsOfTemplates('f.ts', text).map(({ operator }) => operator)).toEqual(['AND → OR', 'null → not null']);
  });
});

describe('what mutants are tried with', () => {
  it('are the tests that reach the file: the nearest of its room, the others, then those of other rooms', () => {
    const [nearest, others, wider] = rounds('lib/core/gates/trend.ts', ['test/unit/gates'], ['test/unit']);
    expect(nearest).toContain('test/unit/gates/early-warning.test.ts');
    expect(others).toContain('test/unit/gates/gates.test.ts');
    expect(wider).toContain('test/unit/stage/tick-in-time.test.ts');
    const all = [nearest, others, wider].flat();
    expect(new Set(all).size).toBe(all.length);
    expect(all).not.toContain('test/unit/cutover/nearest.test.ts');
  });

  it('is a sample with as many of each room, the same ones for a seed', () => {
    const all = ['a', 'a', 'a', 'a', 'a', 'b', 'b', 'c'].map((room, i) => ({ room, id: `${room}${i}` }) as never);
    const rooms = (seed: string) => sampled(all, 6, seed).map(({ room }) => room);
    expect(rooms('1').toSorted()).toEqual(['a', 'a', 'a', 'b', 'b', 'c']);
    expect(sampled(all, 6, '1')).toEqual(sampled(all, 6, '1'));
    expect(new Set(['1', '2', '3', '4'].map((seed) => JSON.stringify(sampled(all, 3, seed)))).size).toBeGreaterThan(1);
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
