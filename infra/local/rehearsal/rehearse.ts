/**
 * `crossfade rehearse`: the whole life of one table cutover on a copy of its database, by the roles and under the settings that it will
 * have, with a load of its own. Ended in whatever way, it leaves nothing behind; the database itself is only read.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import postgres from 'postgres';
import { declarationHash } from '../../../lib/adapters/http/rehearsal-token.ts';
import { shapeHash } from '../../../lib/adapters/postgres/capture/shape.ts';
import { postgresConnection } from '../../../lib/adapters/postgres/connection/connection.ts';
import { random, systemClock } from '../../../lib/adapters/system.ts';
import { findConfiguration, loadConfiguration } from '../../../lib/cli/configuration.ts';
import { addressOf } from '../../../lib/cli/database.ts';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import type { CutoverDeclaration } from '../../../lib/core/cutover/cutover.ts';
import type { TableDeclaration } from '../../../lib/core/cutover/table-declaration.ts';
import type { HealthReport } from '../../../lib/flows/rows/inspect.ts';
import type { TablePreview } from '../../../lib/ports/swapping.ts';
import { type LocalApi, localApi } from '../api.ts';
import { createDisplay, type Display } from '../display.ts';
import { installSchema } from '../install-schema.ts';
import { forgetAll } from '../kept/mirrored.ts';
import { freeBase } from '../ports.ts';
import { demandServers } from '../servers-installed.ts';
import { type Stack, startStack } from '../stack.ts';
import { applicationFindings } from './application-findings.ts';
import { type Copy, databaseOf, givenCopy, type Making, ownCopy } from './copy.ts';
import { inspect } from './findings.ts';
import { LIFE, type Life, lifeStep } from './life.ts';
import { startLoad } from './load.ts';
import { readLoadTable, splitName } from './load-table.ts';
import { observe } from './observer.ts';
import { progress } from './progress.ts';
import type { Finding, Rehearsal } from './rehearsal.ts';
import { shortDeclaration, type TableCutoverDeclaration } from './short-declaration.ts';
import { inOrder, StepFailed } from './steps.ts';
import { renderRehearsal, writeReport } from './write-report.ts';

export type RehearseOptions = {
  root: string;
  cutover: string;
  /** Of the role that owns the tables, of the one that moves rows, of the application, and of who may copy the database. */
  databaseUrl: string;
  runtimeUrl?: string;
  applicationUrl?: string;
  adminUrl?: string;
  /** `copy`, a file of pg_dump, or the address of a database that is a copy. */
  on: string;
  /** Rows that a copy is cut to; all by default. */
  sample?: number;
  config?: string;
  minutes: number;
  speed: number;
  port?: number;
  out: string;
};

const STOPPED = 130;
const FAILED = 3;
const MINUTE_MS = 60_000;

/** @returns the exit code: 0 it passed, 3 a step failed, 130 it was ended */
export async function runRehearse(options: RehearseOptions, untilStopped: Promise<void>): Promise<number> {
  const display = createDisplay(process.stdout, process.env.NO_COLOR === undefined);
  const declared = declaredTable(
    await loadConfiguration(findConfiguration(options.config, process.cwd())),
    options.cutover,
  );
  demandServers(options.root);
  for (const note of addressOf(options.databaseUrl).notes) display.say(`Not used of the address: ${note}`);
  display.say(`\nCopying database ${databaseOf(options.databaseUrl)}`);
  const running: { stop(): Promise<void> }[] = [];
  const copying = copyFor(options, declared, { say: display.say, running });
  const work = copying.then((copy) => rehearsed({ options, declared, copy, display, running }));
  // Once everything is being stopped the work is not waited for, which fails then as it must.
  work.catch(() => {});
  try {
    const rehearsal = await Promise.race([work, untilStopped.then(() => null)]);
    if (rehearsal === null) return STOPPED;
    const files = await writeReport(options.out, rehearsal);
    display.say(renderRehearsal(rehearsal, files));
    return rehearsal.passed ? 0 : FAILED;
  } finally {
    for (const one of running.splice(0).reverse()) await one.stop().catch(() => {});
    const copy = await copying.catch(() => null);
    await copy?.drop();
  }
}

const isAddress = (on: string) => URL.canParse(on) && /^postgres(ql)?:$/.test(new URL(on).protocol);

async function copyFor(options: RehearseOptions, declared: TableCutoverDeclaration, making: Making): Promise<Copy> {
  const { on, databaseUrl, adminUrl = databaseUrl, sample } = options;
  const table = splitName(declared.table.primary);
  if (!isAddress(on)) {
    const origin = { dump: on === 'copy' ? null : on, sample: sample === undefined ? null : { table, rows: sample } };
    return ownCopy(adminUrl, origin, making);
  }
  if (sample === undefined) return givenCopy(databaseUrl, on);
  throw new CrossfadeError(
    'invalid_input',
    '--sample is for a copy that the command makes: rows of a database that is given are not taken out of it.',
  );
}

/** @throws CrossfadeError where there is no such cutover, or where it is of no table */
function declaredTable(declared: readonly CutoverDeclaration[], id: string): TableCutoverDeclaration {
  const found = declared.find((one) => one.id === id);
  const tables = declared.filter(({ kind }) => kind === 'table').map((one) => one.id);
  const known = ` Tables that are declared: ${tables.join(', ') || 'none'}.`;
  if (!found) throw new CrossfadeError('not_found', `There is no cutover '${id}'.${known}`);
  if (found.kind === 'table') return found;
  throw new CrossfadeError('invalid_input', `'${id}' is a ${found.kind}: a rehearsal is for tables.${known}`);
}

type Rehearsing = {
  options: RehearseOptions;
  declared: TableCutoverDeclaration;
  copy: Copy;
  display: Display;
  running: { stop(): Promise<void> }[];
};

async function rehearsed(rehearsing: Rehearsing): Promise<Rehearsal> {
  const { options, declared, copy } = rehearsing;
  const startedMs = Date.now();
  const short = shortDeclaration(declared);
  const going = progress(short.declaration.plan, MINUTE_MS / options.speed);
  const notices: Finding[] = [];
  let served: Served | null = null;
  let life: Life | null = null;
  let shape = '';
  const alive = (name: keyof typeof LIFE) => () => lifeStep(life!, name);
  const steps = await inOrder(
    {
      ...(Object.fromEntries(Object.keys(LIFE).map((name) => [name, alive(name as keyof typeof LIFE)])) as Record<
        keyof typeof LIFE,
        () => Promise<void>
      >),
      async prepare() {
        shape = await prepare(options.root, copy.at(options.databaseUrl), declared);
        served = await serve(rehearsing, short.declaration);
      },
      async inspect() {
        const found = await inspected(served!.api, declared.id);
        const seen = await asApplication(rehearsing);
        notices.push(...found.notices, ...seen.notices);
        const failures = [...found.failures, ...seen.failures];
        if (failures.length > 0) throw new StepFailed(failures);
        const deadlineMs = startedMs + options.minutes * MINUTE_MS;
        life = { ...(await begun(rehearsing, served!, found.preview!)), progress: going, deadlineMs };
      },
    },
    going,
  );
  const { observer, load } = (life ?? {}) as Partial<Life>;
  return {
    cutover: declared.id,
    database: databaseOf(options.databaseUrl),
    how: copy.how,
    startedMs,
    endedMs: Date.now(),
    passed: steps.every(({ result }) => result === 'pass'),
    steps,
    figures: (await observer?.figures()) ?? null,
    load: load?.figures() ?? null,
    notices,
    holds: observer?.holds() ?? [],
    differs: [...short.changed, ...copy.differs],
    hashes: { declaration: declarationHash(declared), shape, version: versionOf(options.root) },
  };
}

type Served = { stack: Stack; api: LocalApi };

async function serve(
  { options, copy, display, running }: Rehearsing,
  declaration: CutoverDeclaration,
): Promise<Served> {
  const stack = await startStack({
    root: options.root,
    port: options.port ?? (await freeBase()),
    speed: options.speed,
    cutovers: [declaration],
    database: async () => ({
      ownerUrl: copy.at(options.databaseUrl),
      runtimeUrl: copy.at(options.runtimeUrl ?? options.databaseUrl),
      stop: async () => {},
    }),
    say: display.say,
  });
  running.push(stack);
  display.say(`\nDashboard   ${stack.settings.url}\n`);
  return { stack, api: localApi(stack.settings.apiUrl, stack.token) };
}

const inspected = (api: LocalApi, id: string) =>
  inspect({
    health: () => api.get<HealthReport>(`/v1/cutovers/${id}/health`),
    preview: (scanMs) => api.get<TablePreview>(`/v1/cutovers/${id}/preview?scanMs=${scanMs}`),
  });

async function asApplication({ options, declared, copy }: Rehearsing) {
  const sql = postgres(applicationUrl(options, copy), { max: 1, fetch_types: true, onnotice: () => {} });
  try {
    const { primary, shadow } = declared.table;
    return await applicationFindings(sql, { primary: splitName(primary), shadow: splitName(shadow) });
  } finally {
    await sql.end({ timeout: 2 });
  }
}

const applicationUrl = ({ applicationUrl, databaseUrl }: RehearseOptions, copy: Copy) =>
  copy.at(applicationUrl ?? databaseUrl);

/** The load and what is measured, from before the start on. */
async function begun(
  { options, declared, copy, display, running }: Rehearsing,
  { stack, api }: Served,
  preview: TablePreview,
): Promise<Omit<Life, 'progress' | 'deadlineMs'>> {
  const { id, table } = declared;
  const sql = postgres(copy.at(options.databaseUrl), { max: 1, fetch_types: false, onnotice: () => {} });
  running.push({ stop: () => sql.end({ timeout: 2 }) });
  const { primary, shadow } = await readBoth(sql, table, preview);
  const databaseUrl = applicationUrl(options, copy);
  const { settings, token } = stack;
  const load = await startLoad({ cutover: id, databaseUrl, primary, shadow, settings, token });
  running.push(load);
  const observer = await observe(sql, [primary.ident, shadow.ident]);
  return { id, api, load, observer, show: display.show };
}

async function readBoth(sql: postgres.Sql, table: TableDeclaration, { key }: TablePreview) {
  const names = key.map(({ column }) => column);
  const renamed = Object.entries(table.columns ?? {}).flatMap(([to, source]) =>
    'from' in source ? [[source.from, to] as const] : [],
  );
  const inShadow = new Map(renamed);
  return {
    primary: await readLoadTable(sql, table.primary, names),
    shadow: await readLoadTable(
      sql,
      table.shadow,
      names.map((name) => inShadow.get(name) ?? name),
    ),
  };
}

/** Schema crossfade as of this version; what the copy brought of other cutovers is at rest. @returns the shape of both tables */
async function prepare(root: string, ownerUrl: string, declared: TableCutoverDeclaration): Promise<string> {
  await installSchema(root, ownerUrl);
  const owner = postgresConnection({ url: ownerUrl, clock: systemClock(), random });
  try {
    await forgetAll(owner);
    return await shapeHash(owner, declared);
  } finally {
    await owner.close();
  }
}

const versionOf = (root: string) =>
  (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;
