/**
 * Code in Markdown pages. TypeScript is compiled against the sources of the packages that it imports; of shell commands each
 * must exist with its arguments and options; what is no program of this repository is taken from a list.
 */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommanderError } from 'commander';
import { PACKAGES } from '../../infra/packages.mjs';
import { buildProgram } from '../../lib/cli/program.ts';
import type { Page } from './page-links.ts';

export type Block = { page: string; line: number; language: string; text: string };

/** Blocks of a page, without the indentation they have in a list. */
export function blocksOf({ file, text }: Page): Block[] {
  return [...text.matchAll(/^( *)```(\w*)\n([\s\S]*?)^\1```/gm)].map((found) => {
    const [, indent = '', language = '', inner = ''] = found;
    return {
      page: file,
      line: text.slice(0, found.index).split('\n').length,
      language,
      text: inner.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    };
  });
}

// ------------------------------------------------------------------------------------------------------- TypeScript

/** What a page imports as an application does. */
const ENTRIES = Object.fromEntries(
  PACKAGES.flatMap(({ name, entries }) =>
    Object.entries(entries).map(([entry, file]) => [entry === 'index' ? name : `${name}/${entry}`, file]),
  ),
);

/** What the compiler says of the blocks, with page and line; empty when each compiles. */
export function compile(root: string, blocks: readonly Block[]): string[] {
  // Inside the checkout, so that the installed packages are found.
  const directory = mkdtempSync(join(root, 'node_modules', '.pages-'));
  try {
    const files = blocks.map(({ text }, index) => {
      const file = join(directory, `block-${index}.ts`);
      writeFileSync(file, `${text}\nexport {};\n`);
      return file;
    });
    const paths = Object.fromEntries(Object.entries(ENTRIES).map(([name, file]) => [name, [join(root, file)]]));
    const compilerOptions = { noEmit: true, paths, typeRoots: [join(root, 'node_modules', '@types')] };
    const project = { extends: join(root, 'tsconfig.json'), compilerOptions, files, include: [] };
    writeFileSync(join(directory, 'package.json'), '{ "type": "module" }');
    writeFileSync(join(directory, 'tsconfig.json'), JSON.stringify(project));
    const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
    const run = spawnSync(process.execPath, [compiler, '-p', directory, '--pretty', 'false'], { encoding: 'utf8' });
    return `${run.stdout}${run.stderr}`.split('\n').flatMap((said) => located(said, blocks));
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function located(said: string, blocks: readonly Block[]): string[] {
  if (said.trim() === '') return [];
  const [, index, line, text] = /block-(\d+)\.ts\((\d+),\d+\): (.*)/.exec(said) ?? [];
  const block = blocks[Number(index)];
  return [block ? `${block.page}:${block.line + Number(line)} ${text}` : said];
}

// ------------------------------------------------------------------------------------------------------------ shell

/** Programs of others, whose arguments are not looked at. */
const OTHERS = new Set(['aws', 'cat', 'cd', 'createdb', 'export', 'node', 'pgbench', 'psql', 'sudo']);
const SERVERLESS = new Set(['package', 'deploy', 'remove', 'invoke']);

/** A line of a shell block without its remark. */
export const typedOf = (line: string): string => line.replace(/(^|\s)#.*$/, '').trim();

/** Why a line of a shell block could not be typed as it stands; empty when it could. */
export function wrongLine(root: string, line: string): string[] {
  const bare = typedOf(line);
  if (bare === '') return [];
  return splitLine(bare).flatMap((words) => wrongCommand(root, words).map((why) => `${why}: ${line.trim()}`));
}

/** Words of each command of a line; quotes hold words together, and what is in $(…) is one word. */
export function splitLine(line: string): string[][] {
  const commands: string[][] = [[]];
  for (const [word] of line.matchAll(/\$\([^)]*\)|(?:"[^"]*"|'[^']*'|[^\s"'|&])+|&&|\|/g)) {
    if (word === '&&' || word === '|') commands.push([]);
    else commands.at(-1)!.push(word.replaceAll(/^['"]|['"]$/g, '').replaceAll(/=["']/g, '='));
  }
  return commands.filter((words) => words.length > 0);
}

function wrongCommand(root: string, words: readonly string[]): string[] {
  const [program, first, ...rest] = words.filter((word) => !/^[A-Z_]+=/.test(word));
  if (program === undefined || OTHERS.has(program)) return [];
  if (program === 'npm') return wrongScript(root, first, rest);
  if (program === 'npx' && first === '--no-install' && rest[0] === 'crossfade') return wrongArguments(rest.slice(1));
  if (program === 'npx' && first === '--no-install' && rest[0] === 'jiti')
    return existsSync(join(root, rest[1] ?? '')) ? [] : [`there is no '${rest[1]}'`];
  if (program === 'npx' && first === 'vitest') return wrongTests(root, rest);
  if (program === 'npx' && first === 'serverless')
    return SERVERLESS.has(rest[0] ?? '') ? [] : ['serverless has no such command'];
  return [`'${program}' is no known program`];
}

function wrongScript(root: string, first: string | undefined, rest: readonly string[]): string[] {
  if (first === 'install') return wrongInstall(root, rest);
  if (first === 'pack')
    return rest.every((path) => path.startsWith('./dist/packages/')) ? [] : ['packs something else'];
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { scripts: object };
  const name = first === 'run' ? rest[0] : first;
  if (name === undefined || !(name in scripts)) return [`package.json has no script '${name}'`];
  if (name !== 'bench' || rest[1] === undefined || rest[1] === 'NAME') return [];
  const benches = readdirSync(join(root, 'test/bench'));
  return benches.includes(`${rest[1]}.bench.ts`) ? [] : [`there is no bench '${rest[1]}'`];
}

/** What a page has people install is published from here, or installed here. */
function wrongInstall(root: string, words: readonly string[]): string[] {
  const { dependencies, devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    dependencies: object;
    devDependencies: object;
  };
  const known = [...PACKAGES.map(({ name }) => name), ...Object.keys({ ...dependencies, ...devDependencies })];
  return words
    .filter((word) => !word.startsWith('--') && !known.includes(word))
    .map((word) => `'${word}' is no package of this repository, and none that it uses`);
}

/** The program itself reads the words; nothing is carried out. */
function wrongArguments(words: readonly string[]): string[] {
  const program = buildProgram('', async () => {}, { width: 100, colours: false });
  for (const command of [program, ...program.commands]) command.configureOutput({ writeErr: () => {} });
  try {
    program.parse([...words], { from: 'user' });
    return [];
  } catch (error) {
    if (error instanceof CommanderError) return [error.message];
    throw error;
  }
}

/** Of `npx vitest run …`: a project that is not there, or a filter that no test file has in its path. */
function wrongTests(root: string, words: readonly string[]): string[] {
  const projects = [...readFileSync(join(root, 'vitest.config.ts'), 'utf8').matchAll(/name: '(\w+)'/g)].map(
    ([, n]) => n!,
  );
  const files = readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' }).map((file) =>
    join('test', file).replaceAll('\\', '/'),
  );
  const problems: string[] = [];
  for (let i = 1; i < words.length; i += 1) {
    const word = words[i]!;
    if (word === '-t') break;
    if (word === '--project') {
      i += 1;
      if (!projects.includes(words[i]!)) problems.push(`there is no project '${words[i]}'`);
    } else if (!word.startsWith('-') && !files.some((file) => file.includes(word))) {
      problems.push(`no test file has '${word}' in its path`);
    }
  }
  return problems;
}

// ----------------------------------------------------------------------------------------------------------- inline

/** Commands in running text: `crossfade advance --force`, `npm run bench gates`. Arguments may be left out there. */
export function wrongInline(root: string, { file, text }: Page): string[] {
  const said = [...text.matchAll(/`((?:npx --no-install crossfade|crossfade|npm|npx vitest) [^`\n]+)`/g)].map(
    ([, words]) => words!,
  );
  return said.flatMap((words) => {
    const wrong = words.includes('crossfade ') ? wrongNames(words) : wrongLine(root, words);
    return wrong.map((why) => `${file}: ${why}`);
  });
}

const PLACEHOLDERS = new Set(['COMMAND', '…', '...']);

function wrongNames(text: string): string[] {
  const [name, ...rest] = text.replace(/^(npx --no-install )?crossfade /, '').split(/\s+/);
  if (PLACEHOLDERS.has(name!) || name!.startsWith('--')) return [];
  const program = buildProgram('', async () => {}, { width: 100, colours: false });
  const command = program.commands.find((one) => [one.name(), ...one.aliases()].includes(name!));
  if (!command) return [`there is no command '${name}' (${text})`];
  const known = [...program.options, ...command.options].map(({ long }) => long);
  return rest
    .map((word) => /^\[?(--[a-z-]+)/.exec(word)?.[1])
    .filter((option) => option !== undefined && !known.includes(option))
    .map((option) => `'${name}' has no option ${option} (${text})`);
}
