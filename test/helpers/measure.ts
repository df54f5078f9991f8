/**
 * Measures TypeScript files by their syntax: the lines of each file, and of each function its lines and positional
 * parameters. The compiler reads the texts from memory, without what they import: nothing is resolved or checked.
 */

import type { FunctionLikeDeclaration, Node, SourceFile } from 'typescript/unstable/ast';
import {
  isArrowFunction,
  isConstructorDeclaration,
  isFunctionDeclaration,
  isFunctionExpression,
  isGetAccessorDeclaration,
  isIdentifier,
  isMethodDeclaration,
  isPropertyAssignment,
  isSetAccessorDeclaration,
  isVariableDeclaration,
} from 'typescript/unstable/ast/is';
import { createVirtualFileSystem } from 'typescript/unstable/fs';
import { API } from 'typescript/unstable/sync';
import type { Source } from './imports.ts';

type MeasuredFunction = { file: string; name: string; lines: number; parameters: number };
export type Measured = { files: { file: string; lines: number }[]; functions: MeasuredFunction[] };

const CONFIG = '/tsconfig.json';
const COMPILER_OPTIONS = {
  noResolve: true,
  noLib: true,
  types: [],
  module: 'nodenext',
  allowImportingTsExtensions: true,
};

export function measure(sources: readonly Source[]): Measured {
  const texts = Object.fromEntries(sources.map(({ file, text }) => [`/${file}`, text]));
  const config = JSON.stringify({ compilerOptions: COMPILER_OPTIONS, files: Object.keys(texts) });
  const api = new API({ cwd: '/', fs: createVirtualFileSystem({ ...texts, [CONFIG]: config }) });
  try {
    const { program } = api.updateSnapshot({ openProject: CONFIG }).getProject(CONFIG)!;
    return {
      files: sources.map(({ file, text }) => ({ file, lines: linesOf(text) })),
      functions: sources.flatMap(({ file }) => functionsOf(file, program.getSourceFile(`/${file}`)!)),
    };
  } finally {
    api.close();
  }
}

const linesOf = (text: string): number => text.trimEnd().split('\n').length;

function functionsOf(file: string, source: SourceFile): MeasuredFunction[] {
  const found: MeasuredFunction[] = [];
  const visit = (node: Node): void => {
    if (isFunction(node) && node.body)
      found.push({
        file,
        name: nameOf(node),
        lines: linesOf(source.text.slice(node.getStart(source), node.end)),
        parameters: node.parameters.length,
      });
    node.forEachChild(visit);
  };
  visit(source);
  return found;
}

const isFunction = (node: Node): node is FunctionLikeDeclaration =>
  isFunctionDeclaration(node) ||
  isFunctionExpression(node) ||
  isArrowFunction(node) ||
  isMethodDeclaration(node) ||
  isConstructorDeclaration(node) ||
  isGetAccessorDeclaration(node) ||
  isSetAccessorDeclaration(node);

/** Its own name, or that of the constant or property that it is the value of. */
function nameOf(node: FunctionLikeDeclaration): string {
  const { name, parent } = node as { name?: Node; parent: Node };
  if (name) return isIdentifier(name) ? name.text : 'a computed name';
  if ((isVariableDeclaration(parent) || isPropertyAssignment(parent)) && isIdentifier(parent.name))
    return parent.name.text;
  return isConstructorDeclaration(node) ? 'constructor' : 'a function without a name';
}
