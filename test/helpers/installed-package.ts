/** A package as an application gets it: built, packed by npm, and installed into an empty directory without a network. */

import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
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
  /** Installs one of this repository's own packages beside it. */
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
  const packed = execFileSync(
    'npm',
    ['pack', join(ROOT, 'dist/packages', name), '--json', '--pack-destination', directory],
    {
      encoding: 'utf8',
      env: ENVIRONMENT,
      stdio: ['ignore', 'pipe', 'ignore'],
    },
  );
  const [{ filename }] = JSON.parse(packed) as [{ filename: string }];
  return {
    directory,
    installed: join(directory, 'node_modules', name),
    tarball: join(directory, filename),
    write,
    node: (...words) => run(process.execPath, words),
    npm,
    npx: (...words) => run('npx', ['--no-install', '--offline', ...words]),
    unpack() {
      mkdirSync(join(directory, 'node_modules', name), { recursive: true });
      run('tar', ['-xzf', filename, '-C', `node_modules/${name}`, '--strip-components=1']);
      npm('rebuild');
    },
    link(other) {
      const place = join(directory, 'node_modules', other);
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
