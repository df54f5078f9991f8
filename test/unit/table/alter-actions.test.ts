/** The text of `--alter`: cut as Postgres cuts it, and nothing but actions on one table is let through. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { alterActions, alterStatements } from '../../../lib/core/table/draft/alter-actions.ts';

const texts = (text: string) => alterActions(text).map((action) => action.text);

describe('the actions of --alter', () => {
  it.each([
    ['ALTER COLUMN id TYPE bigint', ['ALTER COLUMN id TYPE bigint']],
    [' add a numeric(10, 2) , DROP b ', ['add a numeric(10, 2)', 'DROP b']],
    [`ADD a text DEFAULT 'x, y; -- z', ADD b int`, [`ADD a text DEFAULT 'x, y; -- z'`, 'ADD b int']],
    [`ADD a text DEFAULT E'it\\'s, ;', ADD "b, ;" int`, [`ADD a text DEFAULT E'it\\'s, ;'`, 'ADD "b, ;" int']],
    ['ADD a text DEFAULT $q$ $x$, ; $q$, ADD b int', ['ADD a text DEFAULT $q$ $x$, ; $q$', 'ADD b int']],
    [
      'ADD a int[] DEFAULT ARRAY[1, 2], SET (fillfactor = 70)',
      ['ADD a int[] DEFAULT ARRAY[1, 2]', 'SET (fillfactor = 70)'],
    ],
    [
      `ADD a text DEFAULT 'FOREIGN KEY', ADD "REFERENCES" int`,
      [`ADD a text DEFAULT 'FOREIGN KEY'`, 'ADD "REFERENCES" int'],
    ],
  ])('of %s are %j', (text, actions) => {
    expect(texts(text)).toEqual(actions);
  });

  it.each([
    ['', 'empty'],
    ['ADD a int,', 'a comma with nothing behind it'],
    ['ADD a int; DROP TABLE orders', 'a semicolon'],
    [`ADD a text DEFAULT E'\\'; DROP TABLE orders`, 'a semicolon'],
    [`ADD a text DEFAULT 'x`, "The quote ' is not closed"],
    ['ADD a text DEFAULT $q$x; DROP TABLE orders', 'a semicolon'],
    ['ADD a int -- , DROP b', 'a comment'],
    ['ADD a /* x */ int', 'a comment'],
    ['ADD a numeric(10', 'A parenthesis is not closed'],
    ['ADD a int), ADD b int', "')' closes nothing"],
    ['ALTER TABLE public.orders ADD a int', 'without ALTER TABLE'],
    ['RENAME TO orders_new', 'at promotion'],
    ['ADD a int, rename to orders_new', 'at promotion'],
    ['SET SCHEMA other', 'one schema'],
    ['OWNER TO root', 'the owner of the old one'],
    ['INHERIT parent', 'A partition or a parent is'],
    ['ATTACH PARTITION p DEFAULT', 'A partition or a parent is'],
    ['SET UNLOGGED', 'Change it in the file'],
    ['DISABLE TRIGGER ALL', 'carries triggers'],
    ['ADD CONSTRAINT f FOREIGN KEY (a) REFERENCES b', 'carries the foreign keys'],
    ['ADD a varchar(10) REFERENCES b (a)', 'carries the foreign keys'],
    ['DELETE FROM orders', 'no action of ALTER TABLE'],
    ['SET', 'no action of ALTER TABLE'],
  ])('refuse %j', (text, why) => {
    expect(() => alterActions(text)).toThrow(why);
  });

  it('run a RENAME alone and in its place, and the others together', () => {
    const actions = alterActions('ADD a int, ADD b int, RENAME c TO d, RENAME e TO f, DROP g');
    expect(alterStatements(actions)).toEqual(['ADD a int, ADD b int', 'RENAME c TO d', 'RENAME e TO f', 'DROP g']);
  });

  it.each([
    ['ALTER a TYPE int USING a::int', { column: 'a', sql: 'a::int' }],
    [
      'ALTER COLUMN "a b" SET DATA TYPE numeric(4, 2) USING round("a b" / 100, 2)',
      { column: 'a b', sql: 'round("a b" / 100, 2)' },
    ],
    ['alter A type int using (a + 1)', { column: 'a', sql: '(a + 1)' }],
    ['ALTER using TYPE int', null],
    ['ADD a int', null],
  ])('of %s compute %j', (text, using) => {
    expect(alterActions(text)[0]!.using).toEqual(using);
  });

  it('are whole whatever their literals and names hold', () => {
    const inside = fc.string({ unit: fc.constantFrom(...`a ,;()[]"'$\\-/*x1`), maxLength: 8 });
    const quoted = fc.oneof(
      inside.map((text) => `'${text.replaceAll("'", "''")}'`),
      inside.map((text) => `E'${text.replaceAll(/['\\]/g, '\\$&')}'`),
      inside.map((text) => `$q$${text.replaceAll('$', '')}$q$`),
    );
    const action = fc
      .tuple(
        inside.filter((text) => text !== ''),
        quoted,
      )
      .map(([name, value]) => `ADD "${name.replaceAll('"', '""')}" text DEFAULT (${value})`);
    fc.assert(
      fc.property(fc.array(action, { minLength: 1, maxLength: 4 }), (actions) => {
        expect(texts(actions.join(', '))).toEqual(actions);
      }),
      { numRuns: 300 },
    );
  });
});
