/**
 * Makes a source file note which of its branches were taken: each one sets a place of an array of its own. V8 counts blocks as well, but
 * walks the whole heap for an answer: 10 ms an input, of which a reader itself takes 0.1.
 */

import { parseAst } from 'vitest/node';

/** The global that holds the array. */
const TAKEN = '__crossfadeBranches';

type Node = { type: string; start: number; end: number; [key: string]: unknown };

/** What is run or not, by kind of node. */
const BRANCHES: Readonly<Record<string, (node: Node) => unknown[]>> = {
  IfStatement: ({ consequent, alternate }) => [consequent, alternate],
  ConditionalExpression: ({ consequent, alternate }) => [consequent, alternate],
  LogicalExpression: ({ right }) => [right],
  SwitchCase: ({ consequent }) =>
    (consequent as Node[]).slice(0, 1).filter(({ type }) => type !== 'VariableDeclaration'),
  ForStatement: ({ body }) => [body],
  ForOfStatement: ({ body }) => [body],
  WhileStatement: ({ body }) => [body],
  CatchClause: ({ body }) => [body],
  ArrowFunctionExpression: ({ body }) => [body],
  FunctionDeclaration: ({ body }) => [body],
  FunctionExpression: ({ body }) => [body],
};

/** Every branch of a file, as the part of the text that is run when it is taken. */
function branchesOf(file: string, text: string): Node[] {
  const found: Node[] = [];
  const visit = (value: unknown): void => {
    if (Array.isArray(value)) for (const one of value) visit(one);
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return;
    const node = value as Node;
    for (const branch of BRANCHES[node.type]?.(node) ?? []) if (branch) found.push(branch as Node);
    for (const child of Object.values(node)) visit(child);
  };
  visit(parseAst(text, { lang: 'ts' }, file));
  return found;
}

/** @param first the place of its first branch */
function noting(file: string, text: string, first: number): { text: string; branches: number } {
  const branches = branchesOf(file, text);
  const put = branches.flatMap(({ type, start, end }, at) => {
    const note = `${TAKEN}[${first + at}] = 1`;
    if (type === 'BlockStatement') return [{ at: start + 1, text: `${note};`, width: 0 }];
    const [open, close] = type.endsWith('Statement') ? [`{ ${note}; `, ' }'] : [`(${note}, `, ')'];
    return [
      { at: start, text: open, width: start - end },
      { at: end, text: close, width: end - start },
    ];
  });
  // At one place the wider one is around the narrower: it opens before and closes after.
  put.sort((a, b) => a.at - b.at || a.width - b.width);
  let made = '';
  let from = 0;
  for (const piece of put) {
    made += text.slice(from, piece.at) + piece.text;
    from = piece.at;
  }
  return { text: made + text.slice(from), branches: branches.length };
}

export type Branches = {
  /** To be used of every file before it is compiled. */
  note: (file: string, text: string) => string;
  /** Those that were taken since the last call. */
  taken: () => number[];
};

/** One at a time in a process. */
export function noteBranches(): Branches {
  let all = 0;
  const taken = new Uint8Array(1 << 16);
  Object.assign(globalThis, { [TAKEN]: taken });
  return {
    note: (file, text) => {
      const made = noting(file, text, all);
      all += made.branches;
      return made.text;
    },
    taken: () => {
      const places: number[] = [];
      for (let place = 0; place < all; place += 1) if (taken[place] === 1) places.push(place);
      taken.fill(0, 0, all);
      return places;
    },
  };
}
