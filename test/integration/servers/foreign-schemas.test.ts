/**
 * I1 I11 schemas as people have them, through the whole life: enum, domain, arrays, bytea, full text, composite keys that
 * cascade, generated columns, triggers, views and rules, under COPY, MERGE, ON CONFLICT, savepoints, changes of keys, and all
 * levels of isolation. Every transaction makes the same changes to twins that nobody migrates.
 * Replay one run with: CROSSFADE_SEED=<seed> npx vitest run --project servers test/integration/servers/foreign-schemas.test.ts
 */

import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { debianBinaries } from '../../helpers/debian-postgres.ts';
import { byDriver, byPsql, type Draw, doer, type PsqlClient } from '../../helpers/deeds.ts';
import { astride, live, type Straddling } from '../../helpers/life.ts';
import { type ServedDatabase, servedDatabase } from '../../helpers/postgres.ts';
import { differences, type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import type { ServerName } from '../../helpers/server-accounts.ts';
import { seeded } from '../../property/samples.ts';

const SEED = Number(process.env.CROSSFADE_SEED ?? Math.floor(Math.random() * 2 ** 31));
const REPLAY = `Replay it with: CROSSFADE_SEED=${SEED} npx vitest run --project servers test/integration/servers/foreign-schemas.test.ts`;
/** The last one is psql, which loads rows with COPY. */
const WRITERS = 3;
const KEYS = 240;
/** Columns of each table with its twin, cast to what both shapes can be compared as. */
type Compared = Readonly<Record<string, string>>;
type Schema = {
  file: string;
  tables: Readonly<Record<string, Pick<TableCutover['table'], 'columns'>>>;
  compared: Compared;
  draws: readonly Draw[];
  open: Straddling;
};

const RENTAL: Schema = {
  file: 'rental.sql',
  tables: {
    film: { columns: { shelf: { added: true } } },
    casting: { columns: { pay_class: { sql: "CASE WHEN pay > 500 THEN 'star' ELSE 'other' END" } } },
  },
  compared: {
    film: 'film_id::bigint, title::text, synopsis, made, language_id, minutes::int, rate::text, rating, extras, poster, words::text, changed_at',
    casting: 'film_id::bigint, part::int, actor, pay::text, pay_class',
  },
  draws: [
    (pick, key) => {
      const [id, n] = [key(), pick(10_000)];
      return ({ both }) =>
        both(`INSERT INTO film@ (film_id, title, made, extras, poster) VALUES (${id}, 'put ${n}', ${1900 + (n % 200)}, ARRAY['x', NULL, '${n}'], decode('00ff${n % 10}0', 'hex'))
          ON CONFLICT (film_id) DO UPDATE SET title = excluded.title, extras = film@.extras || excluded.extras, poster = excluded.poster`);
    },
    (pick, key) => {
      const [id, n] = [key(), pick(100)];
      return ({ both }) =>
        both(`MERGE INTO film@ f USING (VALUES (${id}, 'merged ${n}'), (${id + 1_000}, 'new ${n}')) v (id, title) ON f.film_id = v.id
          WHEN MATCHED AND f.rate > 9 THEN DELETE
          WHEN MATCHED THEN UPDATE SET synopsis = v.title || ' story', rate = f.rate + 1
          WHEN NOT MATCHED THEN INSERT (film_id, title, rating) VALUES (v.id, v.title, 'teen')`);
    },
    (_, key) => {
      const id = key();
      return ({ both }) => both(`DELETE FROM film@ WHERE film_id IN (${id}, ${id + 1_000})`);
    },
    (pick, key) => {
      const [id, n] = [key(), pick(900)];
      return async ({ both }) => {
        await both(`DELETE FROM film@ WHERE film_id = ${id}`);
        await both(`INSERT INTO film@ (film_id, title, minutes) VALUES (${id}, 'came back ${n}', ${n})`);
        await both(
          `INSERT INTO casting@ (film_id, part, actor, pay) VALUES (${id}, 1, 'A', ${n}), (${id}, 2, 'B', NULL)`,
        );
      };
    },
    (_, key) => {
      const id = key();
      // The key moves there and, if it was there, back: castings follow it.
      return ({ both }) =>
        both(`UPDATE film@ SET film_id = film_id + 2000 WHERE film_id = ${id} AND NOT EXISTS (SELECT FROM film@ WHERE film_id = ${id + 2_000});
          UPDATE film@ SET film_id = film_id - 2000 WHERE film_id = ${id + 2_000} AND NOT EXISTS (SELECT FROM film@ WHERE film_id = ${id})`);
    },
    (pick, key) => {
      const [one, other, n] = [key(), key(), pick(50)];
      return ({ both }) =>
        both(
          `UPDATE film@ SET rating = 'adult', minutes = ${n}, synopsis = NULL WHERE film_id IN (${one}, ${other}, ${one + 1_000})`,
        );
    },
    (pick, key) => {
      const [id, n] = [key(), pick(1_000)];
      return async ({ nested, undone }) => {
        await undone(
          `UPDATE film@ SET title = 'never' WHERE film_id = ${id}; DELETE FROM casting@ WHERE film_id = ${id}`,
        );
        await nested(`UPDATE casting@ SET pay = ${n}, actor = 'kept' WHERE film_id = ${id}`);
      };
    },
    (pick, key) => {
      const [id, n] = [key() + 5_000, pick(1_000)];
      return async ({ both, load }) => {
        await both(`DELETE FROM film@ WHERE film_id BETWEEN ${id} AND ${id}`);
        await load('film@ (film_id, title, synopsis, extras, poster)', [
          [id, `copied ${n}`, null, '{a,"b c",NULL}', '\\x00ff'],
        ]);
        await load(
          'casting@ (film_id, part, actor)',
          [1, 2, 3].map((part) => [id, part, `copied ${n}`]),
        );
      };
    },
  ],
  open: {
    holder: [
      "UPDATE film SET title = 'held' WHERE film_id = 0; UPDATE casting SET pay = 1 WHERE film_id = 0",
      'SELECT count(*) FROM film_list',
    ],
    late: ['SELECT count(*) FROM language', 'SELECT count(*) FROM dear_film; SELECT count(*) FROM casting'],
  },
};

const CUSTOMER = (n: number) => `'C${String(1 + (n % 60)).padStart(4, '0')}'`;
const TRADE: Schema = {
  file: 'trade.sql',
  tables: {
    order: { columns: { channel: { added: true } } },
    order_line: { columns: { cost: { sql: 'price * quantity' } } },
  },
  compared: {
    order: 'order_id::bigint, customer_id, state, placed, freight, total',
    order_line: 'order_id::bigint, product_id::int, price, quantity::int, discount, cost',
  },
  draws: [
    (pick, key) => {
      const [id, n] = [key(), pick(500)];
      return ({ both }) =>
        both(`INSERT INTO order_line@ (order_id, product_id, price, quantity) SELECT ${id}, ${n % 5}, ${n / 8}, ${1 + (n % 9)} WHERE EXISTS (SELECT FROM "order@" WHERE order_id = ${id})
          ON CONFLICT (order_id, product_id) DO UPDATE SET quantity = order_line@.quantity + 1, discount = 0.1`);
    },
    (pick, key) => {
      const [id, n] = [key(), pick(1_000)];
      return ({ both }) =>
        both(`MERGE INTO "order@" o USING (VALUES (${id}), (${id + 1_000})) v (id) ON o.order_id = v.id
          WHEN MATCHED AND o.state = 'void' THEN DELETE
          WHEN MATCHED THEN UPDATE SET state = 'packed', freight = ${n}.25
          WHEN NOT MATCHED THEN INSERT (order_id, customer_id) VALUES (v.id, ${CUSTOMER(n)})`);
    },
    (_, key) => {
      const id = key();
      return async ({ both }) => {
        await both(`DELETE FROM "order@" WHERE order_id = ${id}`);
        await both(`INSERT INTO "order@" (order_id, customer_id, state) VALUES (${id}, ${CUSTOMER(id)}, 'open')`);
        await both(
          `INSERT INTO order_line@ (order_id, product_id, price) SELECT ${id}, p, p * 1.5 FROM generate_series(1, 4) p`,
        );
      };
    },
    (_, key) => {
      const id = key();
      return ({ both }) =>
        both(`UPDATE order_line@ SET product_id = product_id + 100 WHERE order_id = ${id} AND product_id < 100
            AND NOT EXISTS (SELECT FROM order_line@ x WHERE x.order_id = ${id} AND x.product_id >= 100);
          UPDATE order_line@ SET product_id = product_id - 100 WHERE order_id = ${id + 1_000}`);
    },
    (pick, key) => {
      const [id, n] = [key(), pick(1_000)];
      return async ({ nested, undone, both }) => {
        await undone(`DELETE FROM "order@" WHERE order_id = ${id}`);
        await nested(`UPDATE order_line@ SET price = ${n} WHERE order_id = ${id}`);
        await both(`UPDATE "order@" SET state = 'void' WHERE order_id = ${id + 1_000}`);
      };
    },
    // Customers whom everybody changes: whoever takes two of them in another order than the next one has to take turns.
    (pick) => {
      const n = pick(3);
      return ({ both }) =>
        both(`SELECT pg_advisory_xact_lock(4711);
          UPDATE customer@ SET credit = credit + 1, phones = phones || '1'::text WHERE customer_id = ${CUSTOMER(n)}`);
    },
    (pick, key) => {
      const [id, n] = [key() + 5_000, pick(1_000)];
      return async ({ both, load }) => {
        await both(`DELETE FROM "order@" WHERE order_id = ${id}`);
        await load('"order@" (order_id, customer_id, freight)', [[id, 'C0007', n]]);
        await load(
          'order_line@ (order_id, product_id, price)',
          [1, 2, 3].map((product) => [id, product, n / 4]),
        );
      };
    },
    (_, key) => {
      const [one, other] = [key(), key()];
      return ({ both }) => both(`DELETE FROM order_line@ WHERE order_id IN (${one}, ${other}) AND product_id % 2 = 0`);
    },
  ],
  open: {
    holder: [
      `UPDATE "order" SET freight = 0 WHERE order_id = 0; UPDATE order_line SET price = 0 WHERE order_id = 0`,
      'SELECT count(*) FROM invoice',
    ],
    late: ['SELECT count(*) FROM customer', 'SELECT count(*) FROM open_order; SELECT count(*) FROM order_line'],
  },
};

type Place = {
  name: string;
  schema: Schema;
  server: ServerName;
  door: 'direct' | 'pooled';
  mode: 'streamed' | 'inline';
};
const PLACES: readonly Place[] = [
  { name: 'rental', schema: RENTAL, server: 'debian', door: 'pooled', mode: 'streamed' },
  { name: 'trade', schema: TRADE, server: 'embedded', door: 'direct', mode: 'inline' },
  { name: 'rental', schema: RENTAL, server: 'embedded', door: 'direct', mode: 'inline' },
  { name: 'trade', schema: TRADE, server: 'debian', door: 'direct', mode: 'inline' },
  { name: 'trade', schema: TRADE, server: 'embedded', door: 'pooled', mode: 'streamed' },
];
/** One of the first two as the seed says, since each takes twenty seconds; `CROSSFADE_EACH=all` takes every one. */
const TRIED = process.env.CROSSFADE_EACH === 'all' ? PLACES : [PLACES[SEED % 2]!];

describe.skipIf(inject('servers') === null).each(TRIED)(
  'I1 the schema of a $name, $mode on $server, $door',
  (place) => {
    const { schema, server, door, mode } = place;
    const planes: TestPlane[] = [];
    const directory = mkdtempSync(join(tmpdir(), 'crossfade-copy-'));
    let psql: PsqlClient;
    let db: ServedDatabase;
    beforeAll(async () => {
      db = await servedDatabase(server, door);
      await db.owner.unsafe(readFileSync(new URL(`../../fixtures/foreign/${schema.file}`, import.meta.url), 'utf8'));
      planes.push(testPlane(db), testPlane(db));
      psql = byPsql(join(debianBinaries()!, 'psql'), db.application, directory);
    });
    afterAll(async () => {
      await psql.end();
      rmSync(directory, { recursive: true, force: true });
      for (const plane of planes) await plane.close();
      await db.drop();
    });

    it(`is the same as its twins after each step, and no statement fails (seed ${SEED})`, async () => {
      const cutovers: TableCutover[] = Object.entries(schema.tables).map(([name, table]) => ({
        id: `c_${name}`,
        validation: 'strict',
        table: { primary: `public.${name}`, shadow: `public.${name}_v2`, mode, ...table },
      }));
      for (const cutover of cutovers) {
        const { items, ok } = await planes[0]!.preview(cutover);
        expect(ok, JSON.stringify(items.filter(({ action }) => action === 'refuse'))).toBe(true);
      }
      const client = () => db.connect(1, db.application);
      const writers = Array.from({ length: WRITERS }, (_, index) => {
        const keys = Array.from({ length: KEYS / WRITERS }, (__, i) => 1 + index + i * WRITERS);
        const transact = index === WRITERS - 1 ? psql.transact : byDriver(client());
        return doer(transact, schema.draws, seeded(SEED + index), keys);
      });
      const clients = [client(), client()] as const;
      const same = async (step: string, name: string, table: string) => {
        const columns = schema.compared[name];
        const twin = `SELECT ${columns} FROM ${name}_twin`;
        expect(
          await differences(db, `SELECT ${columns} FROM "${table}"`, twin),
          `${step}, ${table}. ${REPLAY}`,
        ).toEqual([]);
      };
      await live({
        plane: planes[0]!,
        follower: planes[1]!,
        cutovers,
        writers,
        across: (_, act) => astride(db, clients, schema.open, act),
        async atRest(step, pair) {
          for (const name of Object.keys(schema.tables)) {
            await same(step, name, name);
            const [row] = await db.sql.unsafe(`SELECT to_regclass('${name}_old') IS NOT NULL AS promoted`);
            if (pair) await same(step, name, row!.promoted ? `${name}_old` : `${name}_v2`);
          }
        },
      });
      expect(
        writers.flatMap(({ failures }) => failures),
        REPLAY,
      ).toEqual([]);
      const made = writers.map(({ done, retried }) => `${done} (${retried} tried again)`);
      console.log(`${place.name}, ${mode} on ${server}: transactions ${made.join(', ')}`);
    });
  },
);
