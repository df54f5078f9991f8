/** A package as an application gets it: built, packed by npm, and installed into an empty directory without a network. */

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { ROOT } from './imports.ts';

type Ran = { code: number | null; out: string };

export type Application = {
  directory: string;
  /** Of the package that was installed. */
  installed: string;
  tarball: string;
  write(name: string, text: string): string;
  /** Runs a program of Node in the directory. */
  node(...words: readonly string[]): Ran;
  npm(...words: readonly string[]): Ran;
  /** Runs a command of an installed package. */
  npx(...words: readonly string[]): Ran;
  /** Installs it as npm does, but for what it depends on. */
  unpack(): void;
  /** Installs another of this repository's packages in the same way. */
  add(name: string): void;
  /** Installs a package that this repository uses beside it, once. */
  link(name: string): void;
  remove(): void;
};

/** What npm tells the programs that it runs names the directory of this repository. */
const ENVIRONMENT = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(npm_|INIT_CWD)/i.test(name)));

export function applicationWith(name: string): Application {
  const directory = mkdtempSync(join(tmpdir(), 'crossfade-application-'));
  const run = (program: string, words: readonly string[]): Ran => {
    const { status, stdout, stderr } = spawnSync(program, words, {
      cwd: directory,
      encoding: 'utf8',
      env: ENVIRONMENT,
    });
    return { code: status, out: `${stdout}${stderr}`.trim() };
  };
  const write = (file: string, text: string) => {
    const path = join(directory, file);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
    return path;
  };
  const npm = (...words: readonly string[]) => run('npm', [...words, '--prefix', directory, '--offline']);
  write('package.json', JSON.stringify({ name: 'application', private: true }));
  const pack = (one: string) => {
    const words = ['pack', join(ROOT, 'dist/packages', one), '--json', '--pack-destination', directory];
    const packed = execFileSync('npm', words, {
      encoding: 'utf8',
      env: ENVIRONMENT,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
    return filename;
  };
  const unpack = (one: string, file: string) => {
    mkdirSync(join(directory, 'node_modules', one), { recursive: true });
    run('tar', ['-xzf', file, '-C', `node_modules/${one}`, '--strip-components=1']);
  };
  const filename = pack(name);
  return {
    directory,
    installed: join(directory, 'node_modules', name),
    tarball: join(directory, filename),
    write,
    node: (...words) => run(process.execPath, words),
    npm,
    npx: (...words) => run('npx', ['--no-install', '--offline', ...words]),
    unpack() {
      unpack(name, filename);
      npm('rebuild');
    },
    add: (other) => unpack(other, pack(other)),
    link(other) {
      const place = join(directory, 'node_modules', other);
      if (existsSync(place)) return;
      mkdirSync(dirname(place), { recursive: true });
      symlinkSync(join(ROOT, 'node_modules', other), place);
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}

/** Files below a directory, by their path there. */
export const filesBelow = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => name.replaceAll('\\', '/'))
    .filter((name) => statSync(join(directory, name)).isFile())
    .sort();
