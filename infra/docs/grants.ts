/** What roles may do that no function does itself in a test, and why, from infra/grants.json. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { code, table } from './markdown.ts';

type Ledger = { exceptions: readonly { of: readonly string[]; why: string }[] };

export function exceptionTable(root: string): string {
  const { exceptions } = JSON.parse(readFileSync(join(root, 'infra/grants.json'), 'utf8')) as Ledger;
  return table(
    ['right', 'why'],
    exceptions.map(({ of, why }) => [of.map(code).join(', '), why]),
  );
}
