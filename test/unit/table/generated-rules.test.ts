/**
 * Rules that every function generated for a cutover keeps, whatever its tables are. The golden files show each change; these say
 * which of them is none that a reviewer may wave through.
 */

import { describe, expect, it } from 'vitest';
import type { InlineMode } from '../../../lib/core/table/sql/inline.ts';
import type { Flow } from '../../../lib/core/table/sql/names.ts';
import { MEANING, OWN_PATH } from '../../../lib/core/table/sql/session.ts';
import { tableObjects } from '../../../lib/core/table/sql/table.ts';
import { replaceOnce } from '../../helpers/replace-once.ts';
import { seatDirections } from '../../helpers/seat-example.ts';

const { forward, reverse } = seatDirections();
/** A column of the table in use that a trigger computes until cleanup. */
const tier = { ...forward.target.columns[3]!, defaultSql: null };
const computing: Flow = {
  ...reverse,
  mapping: { ...reverse.mapping, kept: [{ column: tier, sql: 'upper(p."place")', inputs: [] }] },
};
const GENERATED: readonly [string, Flow, InlineMode | null][] = [
  ['forward', forward, null],
  ['caught inline', forward, 'catch'],
  ['aborting inline', forward, 'abort'],
  ['reverse', reverse, null],
  ['reverse, with a computed column', computing, null],
];

type Statements = readonly string[];
type Rule = (statements: Statements) => string[];
const nameOf = (statement: string) => /^CREATE (?:OR REPLACE )?FUNCTION (crossfade\."\w+")/.exec(statement)?.[1];
const functionsOf = (statements: Statements) =>
  statements.flatMap((text) => {
    const name = nameOf(text);
    const head = text.slice(0, text.indexOf('$crossfade$'));
    return name === undefined ? [] : [{ name, text, head }];
  });
/** Names of those for which it does not hold. */
const where = (statements: Statements, holds: (made: { name: string; text: string; head: string }) => boolean) =>
  functionsOf(statements)
    .filter((made) => !holds(made))
    .map(({ name }) => name);

/** Each answers the functions that break it. */
const RULES = {
  // The catalog alone. Temporary objects, which anybody can make, come last; left out they would come first.
  path: (statements) =>
    where(statements, ({ head }) => /SECURITY DEFINER SET search_path = pg_catalog, pg_temp(?: SET |\s)/.test(head)),
  // They run with the owner's rights: none is for everybody to call.
  rights: (statements) =>
    where(statements, ({ name }) => statements.includes(`REVOKE ALL ON FUNCTION ${name} FROM PUBLIC`)),
  // Of those that read the tables: a value must not depend on who calls.
  settings: (statements) =>
    where(
      statements,
      ({ head, text }) =>
        !text.includes('"public"') ||
        [...STATED, ...MEANING.map((name) => `${name} FROM CURRENT`)].every((one) => head.includes(`SET ${one}`)),
    ),
  // Two appliers that wait for each other's keys are a deadlock: who waits, waits in their order.
  locks: (statements) => where(statements, ({ text }) => count(text, WAITS) === count(text, IN_ORDER)),
  // What is set lasts for the transaction: a session is lent to others. But for the notes about the outbox, which are meant for the next call.
  lasting: (statements) => where(statements, ({ text }) => count(text, LASTS) === count(text, NOTES)),
} satisfies Readonly<Record<string, Rule>>;
const count = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].length;
/** Besides those that decide what a cast makes of a value. */
const STATED = [
  'row_security = off',
  'standard_conforming_strings = on',
  'array_nulls = on',
  'transform_null_equals = off',
  'extra_float_digits = 1',
];
const WAITS = /\bpg_advisory_xact_lock\(/g;
const LASTS = /\bset_config\([^;]*, false\)/g;
const NOTES = /\bset_config\('crossfade\.mark_\w+', array_to_string\(v_mark, ','\), false\);/g;
const IN_ORDER =
  /PERFORM pg_advisory_xact_lock\(hashtext\('[^']+'\), b\.bucket\) FROM \(\s+SELECT DISTINCT \(hash_record_extended\(.*::integer AS bucket FROM .* ORDER BY 1 OFFSET 0\s+\) b;/g;

describe.each(GENERATED)('every function of a cutover, %s', (_, flow, inline) => {
  const { create, replace, takeStaged } = tableObjects(flow, 'strict', inline);

  it.each(Object.entries(RULES))('keeps the rule of %s', (_, rule) => {
    expect(functionsOf(create).length).toBeGreaterThan(10);
    expect([create, replace, takeStaged].map(rule)).toEqual([[], [], []]);
  });
});

describe('a rule is broken (negative control)', () => {
  const FAULTS: [name: string, rule: keyof typeof RULES, found: string | RegExp, put: string][] = [
    ['converge', 'path', ', pg_temp SET', ' SET'],
    ['converge', 'path', 'pg_catalog, pg_temp', 'pg_temp, pg_catalog'],
    ['fits', 'path', 'pg_catalog, pg_temp', 'pg_catalog, "public", pg_temp'],
    ['capture', 'path', 'search_path = pg_catalog, pg_temp', 'search_path = public, pg_catalog, pg_temp'],
    ['verify', 'path', ' SECURITY DEFINER', ''],
    ['apply', 'settings', ' SET extra_float_digits = 1', ''],
    ['backfill', 'settings', 'SET extra_float_digits = 1', 'SET extra_float_digits = 0'],
    ['fits', 'settings', ' SET datestyle FROM CURRENT', ''],
    ['converge', 'locks', ' ORDER BY 1 OFFSET 0', ' OFFSET 0'],
    ['spread', 'lasting', 'RETURN true;', "PERFORM set_config('enable_sort', 'off', false); RETURN true;"],
    ['converge', 'locks', /(?<=WHERE )pg_try_(?=advisory_xact_lock)/, 'pg_'],
  ];
  const { create } = tableObjects(forward, 'strict');
  const brokenBy = (statements: Statements) =>
    Object.fromEntries(Object.entries(RULES).map(([name, rule]) => [name, rule(statements)]));
  const NONE = { path: [], rights: [], settings: [], locks: [], lasting: [] };

  it.each(FAULTS)('in %s, and only the rule of %s says so', (name, rule, found, put) => {
    const faulty = create.map((text) =>
      nameOf(text) === `crossfade."${name}_seat"` ? replaceOnce(text, [found, put], name) : text,
    );
    expect(brokenBy(faulty)).toEqual({ ...NONE, [rule]: [`crossfade."${name}_seat"`] });
  });

  it('where one is left to everybody', () => {
    const faulty = create.filter((text) => text !== 'REVOKE ALL ON FUNCTION crossfade."repair_seat" FROM PUBLIC');
    expect(brokenBy(faulty)).toEqual({ ...NONE, rights: ['crossfade."repair_seat"'] });
  });
});

it('a statement of ours that names every schema looks into the catalog first, and at temporary objects last', () => {
  expect(OWN_PATH).toBe('pg_catalog, pg_temp');
});

describe('capture of a changed key', () => {
  const captured = (flow: Flow, inline: InlineMode | null) =>
    tableObjects(flow, 'strict', inline).create.find((text) => nameOf(text) === 'crossfade."capture_seat"')!;
  const OLD_AND_NEW = {
    plainly: /\(seq, op, k1\) VALUES \(v_seq, 'D', v_o1\), \(v_next, 'K', v_k1\);/g,
    'in a block': /\(op, k1\) VALUES \('D', v_o1\), \('K', v_k1\);/g,
  };

  it.each(GENERATED)(
    'leaves a hint of the old key and one of the new, wherever it is written: %s',
    (_, flow, inline) => {
      const text = captured(flow, inline);
      expect(text.match(OLD_AND_NEW.plainly)).toHaveLength(2);
      expect(text.match(OLD_AND_NEW['in a block'])).toHaveLength(1);
    },
  );

  it.each(GENERATED)(
    'is one whose image changed, though the key be equal: 1.0 and 1.00, a and A: %s',
    (_, flow, inline) => {
      const text = captured(flow, inline);
      expect(text).toContain('IF ROW(NEW."id")::record *<> ROW(OLD."id")::record THEN');
      expect(text).toContain('v_moved := ROW(v_k1)::record *<> ROW(v_o1)::record;');
    },
  );
});
