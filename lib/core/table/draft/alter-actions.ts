/**
 * The text of `--alter`: what would stand behind ALTER TABLE name. It is cut into its actions, and only actions on that table
 * are let through. The server is the second judge: it gets one statement at a time, by the protocol that takes no second one.
 */

import { CrossfadeError } from '../../base/errors.ts';
import { foldedName, TOKENS } from './sql-tokens.ts';

export type AlterAction = {
  /** As it was written. */
  text: string;
  /** Its words in capitals, without what is in parentheses, in quoted names and in literals. */
  said: string;
  /** Of ALTER COLUMN … TYPE … USING: the column, and the expression. */
  using: { column: string; sql: string } | null;
};

type Token = { text: string; from: number; depth: number };

const OPENS = new Set(['(', '[']);
const CLOSES = new Set([')', ']']);

/** What is of no use before a promotion, or would lock another table, with the reason. */
const REFUSED: readonly (readonly [RegExp, string])[] = [
  [/^ALTER TABLE\b/, 'Write the actions alone, without ALTER TABLE and the name of the table'],
  [/^RENAME TO\b/, 'The new table gets the name of the old one at promotion'],
  [/^SET SCHEMA\b/, 'Both tables must be in one schema'],
  [/^OWNER TO\b/, 'Promotion gives the new table the owner of the old one'],
  [
    /^(ATTACH|DETACH) PARTITION\b|^(NO )?INHERIT\b|^(NOT )?OF\b/,
    'A partition or a parent is for the file that is written',
  ],
  [/^SET (LOGGED|UNLOGGED|TABLESPACE|ACCESS)\b/, 'Change it in the file that is written'],
  [
    /\b(FOREIGN KEY|REFERENCES)\b/,
    'Promotion carries the foreign keys of the old table. A new one would lock the table that it refers to while this is tried: write it into the file that is written',
  ],
  [
    /^(ENABLE|DISABLE|FORCE|NO FORCE)\b/,
    'Promotion carries triggers, rules and row security of the old table to the new one',
  ],
];
const ALLOWED =
  /^(ADD|DROP|ALTER|RENAME|SET WITHOUT CLUSTER|SET \(|RESET \(|REPLICA IDENTITY|CLUSTER ON|VALIDATE CONSTRAINT)/;

/** @throws CrossfadeError `invalid_input` for a text that is anything but a list of actions of ALTER TABLE */
export function alterActions(text: string): AlterAction[] {
  const actions = cutAtCommas(tokensOf(text)).map((tokens) => actionOf(text, tokens));
  for (const { said, text: written } of actions) {
    const refused = REFUSED.find(([form]) => form.test(said));
    if (refused) throw refusal(`${refused[1]}: '${written}'`);
    if (!ALLOWED.test(said)) throw refusal(`'${written}' is no action of ALTER TABLE on a table`);
  }
  return actions;
}

/** Postgres takes a RENAME only alone, and any number of the others together: lists of actions for one ALTER TABLE each. */
export function alterStatements(actions: readonly AlterAction[]): string[] {
  const lists: AlterAction[][] = [];
  for (const action of actions) {
    const last = lists.at(-1);
    const isAlone = (one: AlterAction) => one.said.startsWith('RENAME ');
    if (last && !isAlone(action) && !isAlone(last[0]!)) last.push(action);
    else lists.push([action]);
  }
  return lists.map((list) => list.map(({ text }) => text).join(', '));
}

function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  let depth = 0;
  for (const { 0: token, index } of text.matchAll(TOKENS)) {
    if (token.trim() === '') continue;
    if (token === ';') throw refusal('It holds a semicolon, and so a second statement');
    if (token === '--' || token === '/*') throw refusal('It holds a comment');
    if (token === "'" || token === '"') throw refusal(`The quote ${token} is not closed`);
    if (CLOSES.has(token)) depth -= 1;
    if (depth < 0) throw refusal(`'${token}' closes nothing`);
    tokens.push({ text: token, from: index, depth });
    if (OPENS.has(token)) depth += 1;
  }
  if (depth > 0) throw refusal('A parenthesis is not closed');
  return tokens;
}

function cutAtCommas(tokens: readonly Token[]): Token[][] {
  const lists: Token[][] = [[]];
  for (const token of tokens) {
    if (token.text === ',' && token.depth === 0) lists.push([]);
    else lists.at(-1)!.push(token);
  }
  if (lists.some((list) => list.length === 0)) throw refusal('It is empty, or has a comma with nothing behind it');
  return lists;
}

/** A word of SQL in capitals; a quoted name and a literal say nothing. */
const word = ({ text }: Token) => (/^(['"$]|[eE]')/.test(text) ? text[0]! : text.toUpperCase());

function actionOf(text: string, tokens: readonly Token[]): AlterAction {
  const last = tokens.at(-1)!;
  const end = last.from + last.text.length;
  const outside = tokens.filter(({ depth }) => depth === 0);
  return {
    text: text.slice(tokens[0]!.from, end),
    said: outside.map(word).join(' '),
    using: usingOf(text, outside, end),
  };
}

function usingOf(text: string, tokens: readonly Token[], end: number): AlterAction['using'] {
  const words = tokens.map(word);
  const column = words[1] === 'COLUMN' ? 2 : 1;
  const type = words[column + 1] === 'SET' ? column + 3 : column + 1;
  if (words[0] !== 'ALTER' || words[type] !== 'TYPE') return null;
  const using = words.indexOf('USING', type);
  const [name, expression] = [tokens[column], tokens[using + 1]];
  if (using < 0 || !name || !expression) return null;
  return { column: foldedName(name.text), sql: text.slice(expression.from, end) };
}

const refusal = (why: string) =>
  new CrossfadeError(
    'invalid_input',
    `--alter takes the actions of one ALTER TABLE, such as 'ALTER COLUMN id TYPE bigint, ADD COLUMN note text'. ${why}.`,
  );
