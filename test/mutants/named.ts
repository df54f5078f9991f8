/** Every named mutant of the SQL with the text that it changes: of a file that makes SQL, or of a function after the last migration. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Replacement } from '../helpers/replace-once.ts';
import { GENERATED_SQL, type NamedMutant } from './generated-sql.ts';
import { MIGRATED_SQL } from './migrated-sql.ts';

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

export function namedMutants(root: string): Named[] {
  const current = readFileSync(join(root, 'migrations/current/functions.sql'), 'utf8');
  const named =
    (where: string, file: string | null, text: string, tests: readonly string[]) =>
    ([name, ...change]: NamedMutant): Named => ({ id: `${where}: ${name}`, file, text, change, tests });
  return [
    ...GENERATED_SQL.flatMap(({ file: name, tests, mutants }) => {
      const file = `lib/core/table/sql/${name}.ts`;
      return mutants.map(named(`${name}.ts`, file, readFileSync(join(root, file), 'utf8'), tests));
    }),
    ...MIGRATED_SQL.flatMap(({ of, tests, mutants }) =>
      mutants.map(named(`crossfade.${of}`, null, functionIn(current, of), tests)),
    ),
  ];
}

/** The statement that makes a function, from the page of all of them. */
function functionIn(page: string, name: string): string {
  const start = page.indexOf(`CREATE OR REPLACE FUNCTION crossfade.${name}(`);
  const end = page.indexOf('\nCREATE OR REPLACE FUNCTION ', start + 1);
  if (start < 0) throw new Error(`There is no function crossfade.${name} after the last migration.`);
  return page.slice(start, end < 0 ? undefined : end);
}
