/**
 * The page of the example aidis is followed line by line, the commands over real handlers and real tables. The programs of
 * Postgres are stood in for by a connection: they are not installed everywhere.
 */

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AIDIS_TABLES, aidisCrossing, type Crossing } from '../../helpers/aidis.ts';
import { commandServer } from '../../helpers/command-server.ts';
import { ROOT } from '../../helpers/imports.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import { type Programs, tutorial, typedCommands } from '../../helpers/tutorial.ts';

const PAGE = 'infra/examples/aidis/README.md';

let db: OwnDatabase;
let plane: TestPlane;
let crossing: Crossing;
let server: Awaited<ReturnType<typeof commandServer>> | null = null;
let piped = '';

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  crossing = aidisCrossing(plane.ports);
});
afterAll(async () => {
  await server?.close();
  await plane.close();
  await db.drop();
});

const read = (file: string) => readFileSync(resolve(ROOT, file), 'utf8');
const only = (name: string | undefined) => expect(name).toBe('aidis');

/** `crossfade dev`: what it is given is loaded, and the control API serves it. */
async function dev(words: readonly string[]): Promise<void> {
  const given = (name: string) => words[words.indexOf(name) + 1]!;
  only(new URL(given('--database-url')).pathname.slice(1));
  const { default: cutovers } = (await import(resolve(ROOT, given('--config')))) as { default: { id: string }[] };
  expect(cutovers.map(({ id }) => id)).toEqual(AIDIS_TABLES);
  server = await commandServer({ ...crossing, cutovers: crossing.declarations, clock: crossing.ports.clock });
}

const programs: Programs = {
  createdb: async ([name]) => only(name),
  cat: async (files) => {
    piped = files.map(read).join('\n');
  },
  psql: async ([name, option, file]) => {
    only(name);
    await db.sql.unsafe(option === '-f' ? read(file!) : piped);
  },
  crossfade: async (words) => {
    if (words[0] === 'dev') return dev(words.slice(1));
    if (!server) throw new Error('No server was started before.');
    // The page shows it while keys are refused, which is the command's exit code.
    const refused = { 'quarantine projects': 3 };
    return typedCommands({ url: server.url, nowMs: () => crossing.ports.clock.now() }, refused)(words);
  },
};

describe('the page of the example aidis', () => {
  it('has lines that work one after the other, and what it says happens', async () => {
    const page = tutorial({ file: PAGE, text: readFileSync(join(ROOT, PAGE), 'utf8') }, programs);
    await page.through('npx --no-install crossfade start projects');
    expect(await crossing.stageOf('projects')).toBe('dual_write');
    await crossing.minute('projects');
    const { epoch } = (await crossing.ports.state.readCutover('projects'))!;
    await db.sql.unsafe('UPDATE crossfade.outbox_projects SET attempts = 4, not_before = NULL');
    await plane.settle('projects', epoch);
    const refused = String(await page.through('npx --no-install crossfade quarantine projects'));
    expect(refused).toMatch(/bad00000-0000-4000-8000-000000000001[\s\S]*bad00000-0000-4000-8000-000000000002/);
    expect(refused).toMatch(/projects_shadow\w*/);
    await page.through('psql aidis -f infra/examples/aidis/repair.sql');
    expect(page.left()).toEqual([]);
    await plane.settle('projects', epoch);
    expect((await plane.status('projects'))!.quarantine).toEqual([]);
  });

  it.each([
    ['psql aidis -f infra/examples/aidis/nothing.sql', /README\.md: 'psql .*nothing\.sql' failed: ENOENT/],
    [
      'npx --no-install crossfade dev --database-url postgres://localhost/aidis --config cutovers.ts',
      /failed: .*cutovers\.ts/,
    ],
    ['cat infra/examples/aidis/primary.sql | psql aidis', /failed: .*already exists/],
  ])('is noticed with the line %s', async (line, why) => {
    const broken = tutorial({ file: PAGE, text: `\`\`\`sh\n${line}\n\`\`\`\n` }, programs);
    await expect(broken.through(line)).rejects.toThrow(why);
  });
});
