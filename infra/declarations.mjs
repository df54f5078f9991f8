/**
 * The types of the packages. The compiler writes what every module declares; an application gets the part that the entries
 * reach, since most of what a module exports is for this repository only.
 */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));

/** What these sources and all that they import declare: texts by the name of the module. */
export function declarationsOf(sources) {
  const directory = mkdtempSync(join(tmpdir(), 'crossfade-types-'));
  const outDir = join(directory, 'types');
  const compilerOptions = {
    noEmit: false,
    declaration: true,
    emitDeclarationOnly: true,
    rootDir: ROOT,
    outDir,
    typeRoots: [join(ROOT, 'node_modules', '@types')],
  };
  const files = sources.map((file) => join(ROOT, file));
  const project = { extends: join(ROOT, 'tsconfig.json'), compilerOptions, files, include: [] };
  try {
    writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(project));
    const compiler = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
    execFileSync(process.execPath, [compiler, '-p', directory], { encoding: 'utf8' });
    const emitted = readdirSync(outDir, { recursive: true }).filter((name) => name.endsWith('.d.ts'));
    return new Map(
      emitted.map((name) => [
        name.replaceAll('\\', '/').replace(/\.d\.ts$/, ''),
        readFileSync(join(outDir, name), 'utf8')
          .replaceAll(/(['"]\.[^'"\n]+)\.ts(['"])/g, '$1.js$2')
          // The compiler indents by four spaces, which were a tenth of the package.
          .replaceAll(/^(?: {4})+/gm, (spaces) => '\t'.repeat(spaces.length / 4)),
      ]),
    );
  } catch (error) {
    throw new Error(`The types of the packages could not be made: ${error.stdout || error.message}`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Applications hand these on and do not make them: the package, which is to be small, has them without their comments. */
const HANDED_ON = /^lib\/core\/(gates|base|routing\/flags)/;
const COMMENT = /^[ \t]*\/\*\*[\s\S]*?\*\/\n/gm;

/** The declarations that the exports of these sources need, as one text for each module that has any. */
export function reachedFrom(sources, declared) {
  const modules = new Map([...declared].map(([name, text]) => [name, parsed(name, text)]));
  const reach = (module, statement) => {
    if (module.kept.has(statement)) return;
    module.kept.add(statement);
    for (const [target, name] of statement.from) reachName(modules.get(target), name);
    for (const word of statement.words) reachName(module, word);
  };
  const reachName = (module, name) => {
    for (const one of module.statements) if (one.declares === name) reach(module, one);
    const from = module.imports.get(name);
    if (from && modules.has(from)) reachName(modules.get(from), name);
  };
  for (const source of sources) {
    const module = modules.get(source.replace(/\.ts$/, ''));
    for (const one of module.statements) if (one.text.includes('export ')) reach(module, one);
  }
  return [...modules]
    .filter(([, { kept }]) => kept.size > 0)
    .map(([name, module]) => [name, HANDED_ON.test(name) ? textOf(module).replaceAll(COMMENT, '') : textOf(module)]);
}

/** Statements begin with one of these words at the margin, or with the comment right above it. */
const BEGINNING =
  /^(?=\/\*\*(?:(?!\*\/)[\s\S])*\*\/\n(?:export|declare|type|interface|import)\b)|^(?<!\*\/\n)(?=(?:export|declare|type|interface|import)\b)/m;
const DECLARED = /^(?:export )?(?:default )?(?:declare )?(?:abstract )?(?:type|interface|class|function|const) (\w+)/m;
const ELSEWHERE = /import\("(\.[^"]+)\.js"\)\.(\w+)/g;

function parsed(name, text) {
  const module = { statements: [], imports: new Map(), foreign: [], kept: new Set() };
  const targetOf = (path) => posix.join(posix.dirname(name), path.replace(/\.js$/, ''));
  for (const statement of text.split(BEGINNING)) {
    const code = statement.replaceAll(/\/\*[\s\S]*?\*\//g, '').trim();
    const [, keyword, names = '', path = ''] = /^(import|export)(?: type)? (.*) from ['"](.*)['"]/.exec(code) ?? [];
    // `{ type A, B as C }` or `* as z`: what is exported there, which is what it is called here, but for `export { B as C }`.
    const words = names
      .replaceAll(/[{}]|\btype |\* as | as \w+/g, '')
      .split(',')
      .map((one) => one.trim());
    if (keyword === 'import') {
      module.foreign.push({ code, names: words, path });
      if (path.startsWith('.')) for (const word of words) module.imports.set(word, targetOf(path));
    } else if (keyword === 'export') {
      module.statements.push({ text: statement, words: [], from: words.map((word) => [targetOf(path), word]) });
    } else {
      const from = [...code.matchAll(ELSEWHERE)].map(([, target, word]) => [targetOf(target), word]);
      const declares = DECLARED.exec(code)?.[1];
      if (declares) module.statements.push({ text: statement, declares, words: new Set(code.match(/\w+/g)), from });
    }
  }
  return module;
}

/** Imports that are needed still, then what was kept, as it stood. */
function textOf({ statements, foreign, kept }) {
  const words = new Set([...kept].flatMap((one) => [...one.words]));
  const imports = foreign.flatMap(({ code, names, path }) => {
    const needed = names.filter((name) => words.has(name));
    if (needed.length === 0) return [];
    return path.startsWith('.') ? [`import type { ${needed.join(', ')} } from '${path}';`] : [code];
  });
  const texts = statements.filter((one) => kept.has(one)).map(({ text }) => text.trim());
  return `${[...imports, ...texts].join('\n')}\n`;
}
