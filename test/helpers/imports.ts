/** Reads TypeScript files as text: what they import, and their code without comments and strings. */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, posix, sep } from 'node:path';

export const ROOT = join(import.meta.dirname, '../..');

export type Source = { file: string; text: string };

export type Import = {
  /** As written. */
  specifier: string;
  /** A file of the project, relative to its root; null for a package or a built-in. */
  target: string | null;
  typeOnly: boolean;
  /** What stands between `import` and `from`; empty for `import '…'` and `import('…')`. */
  names: string;
};

/** Every TypeScript file under these folders, by its path with forward slashes. */
export function readSources(folders: readonly string[]): Source[] {
  return folders
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
    )
    .filter((file) => /\.tsx?$/.test(file) && !file.endsWith('.d.ts'))
    .map((file) => ({ file: file.split(sep).join('/'), text: readFileSync(join(ROOT, file), 'utf8') }));
}

/** One pass over comments, strings, templates and regular expressions, so that none is taken for another. */
const TOKENS =
  /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|\$\{(?:[^{}]|\{[^{}]*\})*\}|[^`\\])*`|(?<=[=(,:[!&|?]\s*)\/(?![/*])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n])+\/[a-z]*/g;

const isComment = (token: string): boolean => token.startsWith('/*') || token.startsWith('//');

/** Without comments. */
export const withoutComments = (text: string): string =>
  text.replace(TOKENS, (token) => (isComment(token) ? ' ' : token));

/** Without comments, strings and regular expressions; what a template inserts stays. */
export const codeOf = (text: string): string =>
  text.replace(TOKENS, (token) => {
    if (isComment(token) || token.startsWith('/')) return ' ';
    if (!token.startsWith('`')) return "''";
    return [...token.matchAll(/\$\{((?:[^{}]|\{[^{}]*\})*)\}/g)].map((inserted) => ` ${inserted[1]} `).join('');
  });

/** What is written for people: comments, and strings with a space in them. What a template inserts and comments of SQL are not. */
export const proseOf = (text: string): string[] =>
  (text.match(TOKENS) ?? [])
    .filter((token) => isComment(token) || (/^['"`]/.test(token) && token.includes(' ')))
    .map((token) => token.replaceAll(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, '…').replaceAll(/^\s*--.*$/gm, ''));

const IMPORTS =
  /\b(?:import|export)\s+(type\s+)?([\w$*{}\s,]*?)\s*\bfrom\s*['"]([^'"]+)['"]|\bimport\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

export function importsOf({ file, text }: Source): Import[] {
  return [...withoutComments(text).matchAll(IMPORTS)].map(([, type, names = '', from, bare, dynamic]) => {
    const specifier = from ?? bare ?? dynamic ?? '';
    return {
      specifier,
      target: specifier.startsWith('.') ? posix.join(dirname(file), specifier).replace(/\?(raw|bundle)$/, '') : null,
      typeOnly: type !== undefined,
      names,
    };
  });
}

/** The package of a specifier: `@aws-sdk/client-dynamodb/x` → `@aws-sdk/client-dynamodb`. */
export const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

/** The first cycle met, as the files on it; null when there is none. */
export function findCycle(sources: readonly Source[]): readonly string[] | null {
  const graph = new Map(sources.map((source) => [source.file, importsOf(source).map(({ target }) => target)]));
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): readonly string[] | null => {
    if (path.includes(file)) return [...path.slice(path.indexOf(file)), file];
    if (done.has(file)) return null;
    for (const target of graph.get(file) ?? []) {
      const cycle = target === null ? null : visit(target, [...path, file]);
      if (cycle) return cycle;
    }
    done.add(file);
    return null;
  };
  for (const file of graph.keys()) {
    const cycle = visit(file, []);
    if (cycle) return cycle;
  }
  return null;
}
