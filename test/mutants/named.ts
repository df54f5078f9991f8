/** The mutants of the SQL with the text that they change: of a file that makes SQL, or of a function after the last migration. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Replacement } from '../helpers/replace-once.ts';
import { GENERATED_SQL, type NamedMutant } from './generated-sql.ts';
import { MIGRATED_SQL } from './migrated-sql.ts';
import type { Mutant } from './operators.ts';
import { mutantsOfStatement, mutantsOfTemplates } from './sql-operators.ts';

export type Named = {
  /** `converge.ts: keys are not locked`, `crossfade.swap: a swap of any epoch`. */
  id: string;
  /** The file, as seen from the root, or null for a function of the schema. */
  file: string | null;
  text: string;
  change: Replacement;
  /** Of integration/postgres. */
  tests: readonly string[];
};

/** What is mutated as SQL, with the tests that are asked of it and its named mutants. */
type Place = Pick<Named, 'file' | 'text' | 'tests'> & { where: string; mutants: readonly NamedMutant[] };

function places(root: string): Place[] {
  const current = readFileSync(join(root, 'migrations/current/functions.sql'), 'utf8');
  return [
    ...GENERATED_SQL.map(({ file: name, ...row }) => {
      const file = `lib/core/table/sql/${name}.ts`;
      return { where: `${name}.ts`, file, text: readFileSync(join(root, file), 'utf8'), ...row };
    }),
    ...MIGRATED_SQL.map(({ of, ...row }) => {
      return { where: `crossfade.${of}`, file: null, text: functionIn(current, of), ...row };
    }),
  ];
}

export const namedMutants = (root: string): Named[] =>
  places(root).flatMap(({ where, mutants, ...place }) =>
    mutants.map(([name, ...change]) => ({ id: `${where}: ${name}`, change, ...place })),
  );

/** Those that rules make of the same text: nobody has chosen them. */
export const unnamedMutants = (root: string): (Pick<Named, 'file' | 'text' | 'tests'> & { mutant: Mutant })[] =>
  places(root).flatMap(({ where, file, text, tests }) =>
    (file === null ? mutantsOfStatement(where, text) : mutantsOfTemplates(where, text)).map((mutant) => ({
      file,
      text,
      tests,
      mutant,
    })),
  );

/** The statement that makes a function, from the page of all of them. */
function functionIn(page: string, name: string): string {
  const start = page.indexOf(`CREATE OR REPLACE FUNCTION crossfade.${name}(`);
  const end = page.indexOf('\nCREATE OR REPLACE FUNCTION ', start + 1);
  if (start < 0) throw new Error(`There is no function crossfade.${name} after the last migration.`);
  return page.slice(start, end < 0 ? undefined : end);
}
