/**
 * The file of `--ddl`: cut into its statements. Only those that can make a table are let through, so that the transaction in
 * which they are tried stays one. The server is the second judge, as of `--alter`.
 */

import { CrossfadeError } from '../../base/errors.ts';
import { TOKENS_AND_COMMENTS } from './sql-tokens.ts';

/** First words of what makes a table, and what hangs on it. */
const MAKES = ['CREATE', 'ALTER', 'COMMENT', 'GRANT', 'REVOKE', 'DO'];

/** Without the semicolons. @throws CrossfadeError `invalid_input` for a text that does anything else, or nothing */
export function ddlStatements(text: string): string[] {
  const statements: string[] = [];
  let [from, first] = [0, ''];
  for (const { 0: token, index } of text.matchAll(TOKENS_AND_COMMENTS)) {
    if (/^(\s|--|\/\*)/.test(token)) continue;
    if (token !== ';') {
      if (first === '') [from, first] = [index, token];
      continue;
    }
    if (first !== '') statements.push(text.slice(from, index));
    first = '';
  }
  if (first !== '') statements.push(text.slice(from).trimEnd());
  for (const statement of statements) demandMakes(statement);
  if (statements.length === 0) throw refusal('It holds no statement');
  return statements;
}

function demandMakes(statement: string): void {
  const first = (/^\S[^\s(]*/.exec(statement)?.[0] ?? '').toUpperCase();
  if (MAKES.includes(first)) return;
  const shown = statement.length > 60 ? `${statement.slice(0, 60)}…` : statement;
  throw refusal(`Statements begin with ${MAKES.join(', ')}; this one does not: '${shown}'`);
}

const refusal = (why: string) =>
  new CrossfadeError(
    'invalid_input',
    `--ddl takes a file with the DDL of one new, empty table: CREATE TABLE and what belongs to it. ${why}.`,
  );
