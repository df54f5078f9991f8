/**
 * The small changes that are tried: each replaces one piece of a source file. Made from the syntax tree, so that every mutant compiles
 * and none is in a comment, a type or a text.
 */

import { parseAst } from 'vitest/node';

export type Mutant = {
  /** File, operator and the text of the line, so that it stays the same while other lines come and go. */
  id: string;
  file: string;
  line: number;
  operator: string;
  found: string;
  put: string;
  start: number;
  end: number;
};

type Node = { type: string; start: number; end: number; [key: string]: unknown };
type Change = { operator: string; start: number; end: number; put: string };

const SWAPPED: Readonly<Record<string, string>> = {
  '<': '<=',
  '<=': '<',
  '>': '>=',
  '>=': '>',
  '===': '!==',
  '!==': '===',
  '&&': '||',
  '||': '&&',
  '+': '-',
  '-': '+',
  '*': '/',
  '/': '*',
};
const NAMES: Readonly<Record<string, string>> = {
  min: 'max',
  max: 'min',
  some: 'every',
  every: 'some',
  floor: 'ceil',
  ceil: 'floor',
};

/** What becomes of one kind of node; the text of the file is at hand. */
const OPERATORS: Readonly<Record<string, (node: Node, text: string) => Change[]>> = {
  BinaryExpression: swapped,
  LogicalExpression: (node, text) => {
    const left = node.left as Node;
    if (node.operator !== '??') return swapped(node, text);
    return [{ operator: 'no default', start: node.start, end: node.end, put: text.slice(left.start, left.end) }];
  },
  UnaryExpression: (node, text) => {
    const argument = node.argument as Node;
    if (node.operator !== '!') return [];
    return [{ operator: 'negate', start: node.start, end: node.end, put: text.slice(argument.start, argument.end) }];
  },
  IfStatement: ({ test }) => always(test as Node),
  ConditionalExpression: ({ test }) => always(test as Node),
  Literal: ({ value, start, end }) => {
    if (typeof value === 'boolean') return [{ operator: 'boolean', start, end, put: String(!value) }];
    if (typeof value !== 'number') return [];
    return [{ operator: 'number', start, end, put: String(value + 1) }];
  },
  ExpressionStatement: ({ expression, start, end }) => {
    const { type } = expression as Node;
    if (type !== 'CallExpression' && type !== 'AwaitExpression') return [];
    return [{ operator: 'no call', start, end, put: ';' }];
  },
  MemberExpression: ({ property, computed }) => {
    const { name, start, end } = property as Node & { name?: string };
    const other = name === undefined || computed || !Object.hasOwn(NAMES, name) ? undefined : NAMES[name];
    return other === undefined ? [] : [{ operator: 'name', start, end, put: other }];
  },
};

function swapped({ operator, left, right }: Node, text: string): Change[] {
  const put = SWAPPED[operator as string];
  const [from, to] = [(left as Node).end, (right as Node).start];
  const at = text.indexOf(operator as string, from);
  // Texts are put together with +, which has no other side.
  const joins = operator === '+' && [left, right].some((side) => isText(side as Node));
  if (put === undefined || joins || at < 0 || at >= to) return [];
  return [{ operator: `${operator} → ${put}`, start: at, end: at + (operator as string).length, put }];
}

const isText = ({ type, value }: Node): boolean => type === 'TemplateLiteral' || typeof value === 'string';
const always = ({ start, end }: Node): Change[] =>
  ['true', 'false'].map((put) => ({ operator: `always ${put}`, start, end, put }));

/** Every mutant of a file, in the order of the text. */
export function mutantsOf(file: string, text: string): Mutant[] {
  const changes: Change[] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) for (const one of value) visit(one);
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return;
    const node = value as Node;
    if (typeof node.type === 'string') {
      if (node.type.startsWith('TS') && !('expression' in node)) return;
      changes.push(...(OPERATORS[node.type]?.(node, text) ?? []));
    }
    for (const [key, child] of Object.entries(node)) if (key !== 'typeAnnotation' && key !== 'parent') visit(child);
  };
  visit(parseAst(text, { lang: file.endsWith('x') ? 'tsx' : 'ts' }, file));
  changes.sort((a, b) => a.start - b.start || a.operator.localeCompare(b.operator));
  const lines = text.split('\n');
  const counts = new Map<string, number>();
  return changes.map((change) => {
    const line = text.slice(0, change.start).split('\n').length;
    const name = `${file}: ${change.operator} in ${JSON.stringify(lines[line - 1]!.trim().slice(0, 80))}`;
    const count = (counts.get(name) ?? 0) + 1;
    counts.set(name, count);
    const found = text.slice(change.start, change.end);
    return { ...change, file, line, found, id: count === 1 ? name : `${name} #${count}` };
  });
}

export const mutated = (text: string, { start, end, put }: Mutant): string =>
  text.slice(0, start) + put + text.slice(end);
