/**
 * The pages of examples are followed line by line, the commands over real handlers and real tables. The programs of
 * Postgres are stood in for by a connection: they are not installed everywhere.
 */

import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { partitioningCutovers } from '../../../infra/examples/partitioning/cutovers.ts';
import type { CutoverInput } from '../../../lib/define/cutovers.ts';
import { AIDIS_TABLES, aidisCrossing, type Crossing } from '../../helpers/aidis.ts';
import { commandServer } from '../../helpers/command-server.ts';
import { ROOT } from '../../helpers/imports.ts';
import { blocksOf } from '../../helpers/page-blocks.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import { type Programs, tutorial, typedCommands } from '../../helpers/tutorial.ts';

/** Under test: a database, its cutovers in a crossing, and what the lines of a page are given. */
type Followed = { db: OwnDatabase; plane: TestPlane; crossing: Crossing; programs: Programs; close(): Promise<void> };
type Example = {
  database: string;
  cutovers?: readonly CutoverInput[];
  /** Ahead of each script, for one that makes fewer rows. */
  head?: string;
  /** Exit codes that the page announces, by line. */
  refused?: Readonly<Record<string, number>>;
  /** Of the load that pgbench would send. */
  bench?: (db: OwnDatabase, file: string) => Promise<unknown>;
};

const read = (file: string) => readFileSync(resolve(ROOT, file), 'utf8');
const pageOf = (example: string) => {
  const file = `infra/examples/${example}/README.md`;
  return { file, text: read(file) };
};

async function followed({ database, cutovers, head = '', refused, bench }: Example): Promise<Followed> {
  const db = await ownDatabase();
  const plane = testPlane(db);
  const crossing = aidisCrossing(plane.ports, cutovers);
  let server: Awaited<ReturnType<typeof commandServer>> | null = null;
  let piped = '';
  const only = (name: string | undefined) => expect(name).toBe(database);

  /** `crossfade dev`: what it is given is loaded, and the control API serves it. */
  async function dev(words: readonly string[]): Promise<void> {
    const given = (name: string) => words[words.indexOf(name) + 1]!;
    only(new URL(given('--database-url')).pathname.slice(1));
    const declared = (await import(resolve(ROOT, given('--config')))) as { default: { id: string }[] };
    expect(declared.default.map(({ id }) => id)).toEqual(crossing.declarations.map(({ id }) => id));
    server = await commandServer({ ...crossing, cutovers: crossing.declarations, clock: crossing.ports.clock });
  }

  const programs: Programs = {
    createdb: async ([name]) => only(name),
    cat: async (files) => {
      piped = files.map(read).join('\n');
    },
    psql: async ([name, option, file]) => {
      only(name);
      await db.sql.unsafe(`${head}${option === '-f' ? read(file!) : piped}`);
    },
    pgbench: async (words) => {
      only(words[0]);
      if (!bench) throw new Error('No load is sent here.');
      await bench(db, read(words[words.indexOf('-f') + 1]!));
    },
    crossfade: async (words) => {
      if (words[0] === 'dev') return dev(words.slice(1));
      if (!server) throw new Error('No server was started before.');
      return typedCommands({ url: server.url, nowMs: () => crossing.ports.clock.now() }, refused)(words);
    },
  };
  const close = async () => {
    await server?.close();
    await plane.close();
    await db.drop();
  };
  return { db, plane, crossing, programs, close };
}

describe('the page of the example aidis', () => {
  let example: Followed;
  beforeAll(async () => {
    // The page shows it while keys are refused, which is the command's exit code.
    example = await followed({ database: 'aidis', refused: { 'quarantine projects': 3 } });
  });
  afterAll(() => example.close());

  it('has lines that work one after the other, and what it says happens', async () => {
    const { db, plane, crossing, programs } = example;
    expect(crossing.declarations.map(({ id }) => id)).toEqual(AIDIS_TABLES);
    const page = tutorial(pageOf('aidis'), programs);
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
    const text = `\`\`\`sh\n${line}\n\`\`\`\n`;
    const broken = tutorial({ ...pageOf('aidis'), text }, example.programs);
    await expect(broken.through(line)).rejects.toThrow(why);
  });
});

/** What pgbench makes of a script, with these values for its variables. */
const sent = (script: string, values: Readonly<Record<string, number>>) =>
  script.replaceAll(/^(--|\\).*$/gm, '').replaceAll(/:(\w+)\b/g, (_, name: string) => String(values[name]));

describe('the page of the example partitioning', () => {
  let example: Followed;
  beforeAll(async () => {
    example = await followed({
      database: 'shop',
      cutovers: partitioningCutovers,
      head: "SET partitioning.rows = '90';",
      async bench(db, script) {
        // A new day, a note, a deletion.
        for (const what of [1, 5, 9]) await db.sql.unsafe(sent(script, { id: 10 + what, day: 200, what })).simple();
      },
    });
  });
  afterAll(() => example.close());

  it('has lines that work one after the other, and what it says happens', async () => {
    const { db, plane, crossing, programs } = example;
    const page = tutorial(pageOf('partitioning'), programs);
    const preview = String(await page.through('npx --no-install crossfade preview orders'));
    expect(preview).toMatch(/ON CONFLICT/);
    await page.through('npx --no-install crossfade start orders');
    expect(page.left()).toEqual([]);
    expect(await crossing.stageOf('orders')).toBe('dual_write');
    await programs.pgbench!(['shop', '-f', 'infra/examples/partitioning/load.sql']);
    await crossing.minute('orders');
    await crossing.minute('orders');
    const rows = (table: string) => `SELECT id, placed_on, customer_id, note FROM ${table}`;
    expect(await differences(db, rows('orders'), rows('orders_by_month'))).toEqual([]);

    // Without its month an order waits; the statement of the page makes one.
    await db.sql`INSERT INTO orders (placed_on, customer_id, note) VALUES ('2027-01-15', 1, 'next year')`;
    await db.sql`UPDATE crossfade.outbox_orders SET attempts = 4, not_before = NULL`;
    const { epoch } = (await crossing.ports.state.readCutover('orders'))!;
    await plane.settle('orders', epoch);
    expect((await plane.status('orders'))!.quarantine).toHaveLength(1);
    const [month] = blocksOf(pageOf('partitioning')).filter(({ language }) => language === 'sql');
    await db.sql.unsafe(month!.text);
    await crossing.minute('orders');
    await plane.settle('orders', epoch);
    expect((await plane.status('orders'))!.quarantine).toEqual([]);
    expect(await differences(db, rows('orders'), rows('orders_by_month'))).toEqual([]);
  });
});
