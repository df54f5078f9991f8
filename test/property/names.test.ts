/** I12 names that Postgres would cut: what a swap makes of them fits, keeps them apart, and is undone exactly. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TableDependents } from '../../lib/core/table/promotion/dependents.ts';
import { fitName } from '../../lib/core/table/promotion/fit-name.ts';
import { chooseNames, chooseNamesBack } from '../../lib/core/table/promotion/names.ts';

const bytesOf = (text: string) => new TextEncoder().encode(text).length;
/** What Postgres stores of a name: it cuts, and never in the middle of a character. */
function stored(name: string): string {
  let kept = name;
  while (bytesOf(kept) > 63) kept = [...kept].slice(0, -1).join('');
  return kept;
}
const LETTERS = ['a', 'B', 'z', '_', '"', ' ', '$', 'ß', 'é', '表', '🙂', '.'];
const name = fc
  .array(fc.constantFrom(...LETTERS), { minLength: 1, maxLength: 70 })
  .map((letters) => stored(letters.join('')));
/** Many with one beginning of 55 bytes, which is where mistakes are. */
const alike = fc
  .tuple(fc.constantFrom('x'.repeat(55), 'ß'.repeat(27), '表'.repeat(18), ''), name)
  .map(([a, b]) => stored(a + b));

describe('a name that is fitted', () => {
  it('has 63 bytes at most, keeps its beginning and its ending, and is left alone where it fits', () => {
    fc.assert(
      fc.property(alike, fc.constantFrom('', '_old'), (given, ending) => {
        const fitted = fitName(given, ending, () => false);
        expect(bytesOf(fitted)).toBeLessThanOrEqual(63);
        expect(fitted.endsWith(ending)).toBe(true);
        if (bytesOf(given + ending) <= 63) {
          expect(fitted).toBe(given + ending);
          return;
        }
        const kept = fitted.slice(0, fitted.length - ending.length - '_12345678'.length);
        expect(given.startsWith(kept)).toBe(true);
        // As much of it as there is room for: no further character would fit.
        const next = [...given.slice(kept.length)][0] ?? '';
        expect(bytesOf(fitted) + bytesOf(next)).toBeGreaterThan(63);
      }),
    );
  });

  it('is never one that is taken, and another one for each name', () => {
    fc.assert(
      fc.property(fc.uniqueArray(alike, { maxLength: 30 }), (names) => {
        const taken = new Set<string>(names);
        for (const one of names) {
          const fitted = fitName(`${one}${'y'.repeat(20)}`, '', (other) => taken.has(other));
          if (bytesOf(one) > 43) expect(taken.has(fitted)).toBe(false);
          taken.add(fitted);
        }
      }),
    );
  });

  it('negative control: cut to 63 bytes without a mark, two names become one', () => {
    const names = ['a', 'b'].map((end) => `${'x'.repeat(59)}_old${end}`);
    expect(new Set(names.map(stored)).size).toBe(1);
    expect(new Set(names.map((one) => fitName(one, '', () => false))).size).toBe(2);
  });
});

const NOTHING = { views: [], rules: [], triggers: [], outgoing: [], inbound: [], options: [], grants: [], columns: [] };

function tableOf(oid: number, given: string, after: { constraints: string[]; indexes: string[] }): TableDependents {
  const own = (rest: readonly string[]) => [...new Set(rest.map((one) => stored(`${given}_${one}`)))];
  const constraints = own(after.constraints);
  return {
    ...NOTHING,
    oid,
    schema: 'public',
    name: given,
    constraints: constraints.map((one) => ({ name: one, type: 'u', columns: [] })),
    indexes: own(after.indexes)
      .filter((one) => !constraints.includes(one))
      .map((one) => ({ name: one, constraint: false })),
    sequences: [],
  } as unknown as TableDependents;
}

describe('the renames of a promotion', () => {
  const rest = fc.array(name, { maxLength: 6 });
  const attached = fc.record({ constraints: rest, indexes: rest });

  it('fit, do not meet, and are given back exactly', () => {
    fc.assert(
      fc.property(alike, attached, attached, (given, ofPrimary, ofShadow) => {
        const primary = tableOf(1, stored(given).slice(0, 40), ofPrimary);
        const shadow = tableOf(2, stored(`${primary.name}_v2`), ofShadow);
        // Two objects of one name cannot be there to begin with.
        const all = [primary, shadow].flatMap(({ constraints, indexes }) =>
          [...constraints, ...indexes].map((one) => one.name),
        );
        fc.pre(new Set(all).size === all.length && !all.includes(shadow.name));
        const { renames, problems, alias } = chooseNames(primary, shadow, [], new Set());
        fc.pre(problems.length === 0);
        expect(renames.every(({ to }) => bytesOf(to) <= 63)).toBe(true);
        expect(new Set(renames.map(({ to }) => to)).size).toBe(renames.length);
        const after = [primary, shadow].map((table) => {
          const now = (from: string) => renames.find((one) => one.table === table.oid && one.from === from)?.to ?? from;
          const moved = <One extends { name: string }>(list: readonly One[]) =>
            list.map((one) => ({ ...one, name: now(one.name) }));
          return {
            ...table,
            name: now(table.name),
            constraints: moved(table.constraints),
            indexes: moved(table.indexes),
          };
        });
        const { back } = chooseNamesBack(renames, after, [], alias);
        expect(back.map(({ from, to }) => [from, to])).toEqual(renames.map(({ from, to }) => [to, from]).reverse());
      }),
    );
  });
});
