/**
 * Small changes of SQL text, made by rules and not by name: the same idea as operators.ts, for functions of the schema and for the templates
 * that make SQL. Comments and quoted texts stay as they are. A rule changes what is still SQL: a syntax error is noticed by everybody.
 */

import { parseAst } from 'vitest/node';
import type { Mutant } from './operators.ts';

type Rule = readonly [operator: string, found: RegExp, put: string];

const RULES: readonly Rule[] = [
  ['< → <=', /(?<=\s)<(?=\s)/g, '<='],
  ['<= → <', /(?<=\s)<=(?=\s)/g, '<'],
  ['> → >=', /(?<=\s)>(?=\s)/g, '>='],
  ['>= → >', /(?<=\s)>=(?=\s)/g, '>'],
  ['distinct → equal', /IS DISTINCT FROM/g, 'IS NOT DISTINCT FROM'],
  ['equal → distinct', /IS NOT DISTINCT FROM/g, 'IS DISTINCT FROM'],
  ['null → not null', /IS NULL\b/g, 'IS NOT NULL'],
  ['not null → null', /IS NOT NULL\b/g, 'IS NULL'],
  ['not exists → exists', /NOT EXISTS\b/g, 'EXISTS'],
  ['AND → OR', /(?<!BETWEEN \S+ )\bAND\b/g, 'OR'],
  ['OR → AND', /(?<!CREATE |INSERT |UPDATE )\bOR\b(?! REPLACE| UPDATE| DELETE)/g, 'AND'],
  ['always', /(?<=\bIF )(?!NOT EXISTS|EXISTS)[^;]*?(?= THEN\b)/g, 'true'],
  ['never', /(?<=\bIF )(?!NOT EXISTS|EXISTS)[^;]*?(?= THEN\b)/g, 'false'],
  ['no lock', /\bFOR (?:NO KEY )?UPDATE(?: SKIP LOCKED| NOWAIT)?/g, ''],
  ['no descent', /(?<=\bORDER BY [^()]*) DESC\b/g, ''],
  ['no call', /\bPERFORM [^;]*;/g, 'NULL;'],
  ['no delete', /(?<=\n\s*)DELETE FROM [^;]*;/g, 'NULL;'],
  ['no refusal', /\bRAISE EXCEPTION\b/g, 'RAISE DEBUG'],
  ['min → max', /\bmin\(/g, 'max('],
  ['max → min', /\bmax\(/g, 'min('],
  ['greatest → least', /\bgreatest\(/g, 'least('],
  ['least → greatest', /\bleast\(/g, 'greatest('],
  ['every → some', /\bbool_and\(/g, 'bool_or('],
  ['some → every', /\bbool_or\(/g, 'bool_and('],
  ['true → false', /\btrue\b/g, 'false'],
  ['false → true', /\bfalse\b/g, 'true'],
  ['+ → -', /(?<=\s)\+(?=\s)/g, '-'],
  ['one more', /(?<=(?:[<>=+-]|LIMIT|,) )\d+\b(?!')/g, '1 + $&'],
];

type Piece = { text: string; start: number };
type Node = { type: string; start: number; end: number; [key: string]: unknown };

/** The mutants of one statement. */
export const mutantsOfStatement = (where: string, text: string): Mutant[] =>
  withIds(where, text, changesOf({ text, start: 0 }));

/** The mutants of the templates of a file. */
export function mutantsOfTemplates(file: string, text: string): Mutant[] {
  const pieces: Piece[] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) for (const one of value) visit(one);
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return;
    const node = value as Node;
    if (node.type === 'TemplateElement') pieces.push({ text: text.slice(node.start, node.end), start: node.start });
    for (const child of Object.values(node)) visit(child);
  };
  visit(parseAst(text, { lang: 'ts' }, file));
  return withIds(file, text, pieces.flatMap(changesOf));
}

type Change = Pick<Mutant, 'operator' | 'found' | 'put' | 'start' | 'end'>;

function changesOf({ text, start }: Piece): Change[] {
  const silent = [...text.matchAll(/--[^\n]*|'[^'\n]*'/g)].map(({ index, 0: found }) => [index, index + found.length]);
  return RULES.flatMap(([operator, pattern, put]) =>
    [...text.matchAll(pattern)]
      .filter(({ index }) => !silent.some(([from, to]) => from! <= index && index < to!))
      .map(({ index, 0: found }) => ({
        operator,
        found,
        put: put.replace('$&', found),
        start: start + index,
        end: start + index + found.length,
      })),
  );
}

function withIds(file: string, text: string, changes: readonly Change[]): Mutant[] {
  const lines = text.split('\n');
  const counts = new Map<string, number>();
  return changes
    .filter(({ found, put }) => found !== put)
    .toSorted((a, b) => a.start - b.start)
    .map((change) => {
      const line = text.slice(0, change.start).split('\n').length;
      const name = `${file}: ${change.operator} in ${JSON.stringify(lines[line - 1]!.trim().slice(0, 80))}`;
      const count = (counts.get(name) ?? 0) + 1;
      counts.set(name, count);
      return { ...change, file, line, id: count === 1 ? name : `${name} #${count}` };
    });
}
