/**
 * Names of packages. `crossfade` in the public registry is somebody else's package: nothing that we say may fetch it. `npx` runs
 * what is installed and fetches what is not, so our command is always given with `--no-install`; what we have people install
 * or import are the packages that are published from here.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../helpers/imports.ts';

/** Ends where the name does: `crossfade-client` is ours, `crossfade@1` and `crossfade/client` are not. */
const THEIRS = String.raw`crossfade(?![\w-])`;
const OPTIONS = String.raw`(?:-\S+ +)*`;
const RULES: readonly RegExp[] = [
  // Runs it, fetched if need be.
  new RegExp(
    String.raw`\b(?:npx|bunx|pnpx|(?:npm|pnpm|yarn|bun) +(?:exec|x|dlx|create)) +(?!--no-install )${OPTIONS}${THEIRS}`,
  ),
  // Installs it, alone or among others.
  new RegExp(String.raw`\b(?:npm|pnpm|yarn|bun) +(?:install|i|add) [^\n\x60]*(?<![\w/-])${THEIRS}(?!\.config|:)`),
  // Loads it.
  new RegExp(String.raw`(?:\bfrom +|\bimport *\(? *|\brequire *\( *)['"]${THEIRS}`),
  // Speaks of an entry as if it were part of it.
  /[\x60'"]crossfade\/(?:client|lambda|appconfig|openfeature|testing|define)\b/,
];

const fetchesAnother = (text: string): string[] =>
  text.split('\n').filter((line) => RULES.some((rule) => rule.test(line)));

const SAID = /\.(md|ts|tsx|mjs|cjs|yml|txt|sql|json)$/;
const FOLDERS = ['functions', 'infra', 'lib', 'migrations', 'test/helpers', '.ci'];

/** What is read by people or shipped: pages, messages, help, examples of output. */
const FILES = [
  ...['README.md', 'test/README.md', 'serverless.yml', 'package.json'],
  ...FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => `${folder}/${name}`),
  ).filter((file) => SAID.test(file)),
];

describe('a package of somebody else', () => {
  it('is never run, installed or loaded by what we say', () => {
    expect(FILES.length).toBeGreaterThan(700);
    const found = FILES.flatMap((file) =>
      fetchesAnother(readFileSync(join(ROOT, file), 'utf8')).map((line) => `${file}: ${line.trim()}`),
    );
    expect(found).toEqual([]);
  });

  it.each([
    'npx crossfade status',
    'Type `npx crossfade status`',
    'npx -y crossfade status',
    'npx --yes crossfade@latest status',
    'npm exec crossfade status',
    'npm x -- crossfade status',
    'pnpm dlx crossfade status',
    'bunx crossfade',
    'npm install crossfade',
    'npm install crossfade-client crossfade',
    'npm i -D crossfade@1',
    'yarn add crossfade',
    "import { createClient } from 'crossfade';",
    "import { createClient } from 'crossfade/client';",
    "const { createClient } = require('crossfade/client');",
    "await import('crossfade/client')",
    'the entry `crossfade/lambda`',
  ])('is noticed in: %s', (text) => {
    expect(fetchesAnother(text)).toHaveLength(1);
  });

  it.each([
    'npx --no-install crossfade status',
    'npm install crossfade-client',
    'npm install --save-dev crossfade-cutover    # the command `crossfade`: declares, tries',
    "import { createClient } from 'crossfade-client';",
    "import { defineCutovers } from 'crossfade-cutover/define';",
    '`crossfade status` shows it',
    'SELECT crossfade.capture()',
  ])('is not meant by: %s', (text) => {
    expect(fetchesAnother(text)).toEqual([]);
  });
});
