/**
 * What the commands print that look at a real database. The examples in lib/cli/README.md are these; where they speak of the
 * machine, other words stand in for it. When a text has changed:
 *
 *   npx vitest run --project postgres test/integration/postgres/command-examples.test.ts -u && npm run docs
 */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { customerCutover } from '../../../infra/examples/chinook/cutover.ts';
import { aidisCrossing, type Crossing } from '../../helpers/aidis.ts';
import { chinookScript } from '../../helpers/chinook.ts';
import { exampleFile, printed, shownAs } from '../../helpers/command-examples.ts';
import { commandServer } from '../../helpers/command-server.ts';
import { cli } from '../../helpers/fake-api.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

/** What `doctor` says of the machine that the tests run on, and what stands in the page. */
const MACHINE: readonly [ours: RegExp, theirs: string][] = [
  [/(?<label>Node\.js +)\S+/, '$<label>22.20.0'],
  [/^\S+ +Java [\s\S]*?(?=^ok +API)/m, 'ok    Java                  17\n'],
  [/http:\/\/127\.0\.0\.1:\d+/, 'https://crossfade.example.com'],
  [/PostgreSQL \d+ at \S+/, 'PostgreSQL 18 at db.example.com:5432'],
  [/\d+ of \d+ are used/, '12 of 300 are used'],
];

let db: OwnDatabase;
let plane: TestPlane;
let crossing: Crossing;
let server: Awaited<ReturnType<typeof commandServer>>;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(chinookScript('chinook'));
  await db.sql.unsafe(chinookScript('shadow'));
  crossing = aidisCrossing(plane.ports, [customerCutover]);
  server = await commandServer({ ...crossing, cutovers: crossing.declarations, clock: crossing.ports.clock });
});
afterAll(async () => {
  await server.close();
  await plane.close();
  await db.drop();
});

describe('the examples of the page of commands', () => {
  it('preview customer', async () => {
    const example = { words: ['preview', 'customer'] };
    await expect(await printed(example, server)).toMatchFileSnapshot(exampleFile(example));
  });

  it('doctor', async () => {
    const words = ['doctor', '--database-url', 'postgres://crossfade_runtime@db.example.com:5432/app'];
    const { out } = await cli(['doctor', '--url', server.url, '--database-url', db.url], {
      env: { CROSSFADE_TOKEN: 'token' },
    });
    const shown = MACHINE.reduce((text, [ours, theirs]) => text.replace(ours, theirs), out);
    await expect(shownAs(words, shown)).toMatchFileSnapshot(exampleFile({ words }));
  });

  it('init', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'crossfade-init-'));
    try {
      const words = ['init', '--table', 'public.invoice', '--alter', 'ALTER COLUMN invoice_id TYPE bigint'];
      const { out } = await cli([...words, '--database-url', db.url], { directory });
      await expect(shownAs(words, out)).toMatchFileSnapshot(exampleFile({ words }));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('migrate, into an empty database and again', async () => {
    const empty = await ownDatabase({ empty: true });
    try {
      const words = ['migrate', '--database-url', 'postgres://crossfade_owner@db.example.com:5432/app'];
      for (const variant of [undefined, 'again']) {
        const { exit, out } = await cli(['migrate', '--database-url', empty.url]);
        expect(exit).toBe(0);
        const { host, username } = new URL(empty.url);
        const shown = out.replace(`${host} as ${username}`, 'db.example.com:5432 as crossfade_owner');
        const file = exampleFile(variant === undefined ? { words } : { words, variant });
        await expect(shownAs(words, shown)).toMatchFileSnapshot(file);
      }
    } finally {
      await empty.drop();
    }
  });
});
