/**
 * I12 the zoo: tables as they are found in real databases, as data. Each is promoted and taken back, some twice, and the
 * catalog of its schema must be what it was, by the product's own fingerprint and by a look that knows nothing of it. Or
 * it is refused with the reason, and nothing is changed.
 */

import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TableCutover } from '../../../../lib/ports/tables.ts';
import { type OwnDatabase, ownDatabase } from '../../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../../helpers/postgres-tables.ts';
import type { Animal, Line, Refused } from './animal.ts';
import { catalogOf } from './catalog.ts';
import { COLUMNS } from './columns.ts';
import { CONSTRAINTS } from './constraints.ts';
import { DEPENDENTS } from './dependents.ts';
import { NAMES } from './names.ts';
import { PARTITIONS } from './partitions.ts';
import { REFUSED } from './refused.ts';

const CROSSING: readonly Animal[] = [...DEPENDENTS, ...COLUMNS, ...CONSTRAINTS, ...NAMES, ...PARTITIONS];
/** Databases side by side; the animals of one take turns. */
const LANES = 3;
/** Turns of a session: it keeps a plan of every statement it ran, and each change of the catalog walks through all of them. */
const TURNS_PER_SESSION = 3;

type Lane = { db: OwnDatabase; plane: TestPlane; turns: number; turn: Promise<unknown> };

const suffix = randomUUID().slice(0, 8);
const app = `zoo_app_${suffix}`;
const other = `zoo_other_${suffix}`;
const lanes: Lane[] = [];

beforeAll(async () => {
  for (let i = 0; i < LANES; i += 1) {
    const db = await ownDatabase();
    lanes.push({ db, plane: testPlane(db), turns: 0, turn: Promise.resolve() });
  }
  await lanes[0]!.db.sql.unsafe(`CREATE ROLE ${app}; CREATE ROLE ${other}`);
});
afterAll(async () => {
  for (const { db, plane } of lanes) {
    await plane.close();
    await db.sql.unsafe(`DROP OWNED BY ${app}, ${other} CASCADE`);
    await db.drop();
  }
  const last = await ownDatabase({ empty: true });
  await last.sql.unsafe(`DROP ROLE ${app}, ${other}`);
  await last.drop();
});

/** The lane's next turn. A failure before it does not keep it from coming. */
function inTurn<T>(index: number, work: (lane: Lane) => Promise<T>): Promise<T> {
  const lane = lanes[index % LANES]!;
  const mine = lane.turn.then(async () => {
    if (lane.turns > 0 && lane.turns % TURNS_PER_SESSION === 0) {
      await lane.plane.close();
      lane.plane = testPlane(lane.db);
    }
    lane.turns += 1;
    return work(lane);
  });
  lane.turn = mine.catch(() => {});
  return mine;
}

function cutoverOf(
  { name = 't', columns, reverse }: Pick<Animal, 'name' | 'columns' | 'reverse'>,
  schema: string,
): TableCutover {
  const table = {
    primary: `${schema}.${name}`,
    shadow: `${schema}.${name}_v2`,
    ...(columns ? { columns } : {}),
    ...(reverse ? { reverse } : {}),
  };
  return { id: schema, validation: 'strict', table };
}

const swap = (fromEpoch: number, stage: string) => ({
  fromEpoch,
  toEpoch: fromEpoch + 1,
  stage,
  version: 10 * fromEpoch,
});

function scene({ db, plane }: Lane, animal: Animal | Refused, schema: string) {
  const cutover = cutoverOf(animal, schema);
  const filled = (text: string) =>
    text.replaceAll(':app', app).replaceAll(':other', other).replaceAll(':schema', schema);
  const perform = async (lines: readonly Line[] = []) => {
    for (const line of lines) {
      if (typeof line === 'string') await db.sql.unsafe(filled(line));
      else
        expect([...(await db.sql.unsafe(filled(line[0])))], line[0]).toEqual(
          JSON.parse(filled(JSON.stringify(line[1]))),
        );
    }
  };
  const fingerprint = async () => {
    const [row] = await db.sql.unsafe(
      `SELECT crossfade.dependents(format('%I.%I', $1::text, $2::text)::regclass, format('%I.%I', $1::text, $2::text || '_v2')::regclass) AS seen`,
      [schema, animal.name ?? 't'],
    );
    return row!.seen as unknown;
  };
  return {
    cutover,
    perform,
    fingerprint,
    catalog: () => catalogOf(db.sql, schema),
    create: () => db.sql.unsafe(`CREATE SCHEMA ${schema}; SET search_path = ${schema}; ${filled(animal.ddl)}`),
    async fill(epoch: number) {
      await plane.start(cutover, epoch);
      await plane.copy(schema, epoch);
      await plane.settle(schema, epoch);
      expect(await plane.verify(schema, epoch, 0)).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
    },
    async there(epoch: number) {
      const done = await plane.promote(cutover, swap(epoch, 'completed'));
      expect(done, JSON.stringify(done)).toMatchObject({ kind: 'swapped' });
    },
    async back(epoch: number) {
      await plane.settle(schema, epoch);
      expect(await plane.verify(schema, epoch, 0)).toMatchObject({ kind: 'verified', result: { divergences: 0 } });
      const done = await plane.revert(cutover, swap(epoch, 'rolled_back'));
      expect(done, JSON.stringify(done)).toMatchObject({ kind: 'swapped' });
      // What would forbid deletes stays aside while there are rows in the shadow, unless somebody wants it so.
      const left = await db.sql.unsafe(
        'SELECT crossfade.give_key_back(cutover, name) AS validate FROM crossfade.key_aside WHERE cutover = $1',
        [schema],
      );
      for (const { validate } of left) if (validate) await db.sql.unsafe(validate);
    },
  };
}

describe('I12 crosses over and comes back', () => {
  it.concurrent.each(CROSSING.map((animal, index) => ({ ...animal, index })))('$what', ({ index, ...animal }) =>
    inTurn(index, async (lane) => {
      const z = scene(lane, animal, `z${index}`);
      await z.create();
      const before = { seen: await z.fingerprint(), catalog: await z.catalog() };
      const { wayBack } = await lane.plane.preview(z.cutover, { scanMs: 5_000 });
      expect(wayBack).toMatchObject({ complete: true, cannotCross: 0, cannotReturn: 0 });
      await z.fill(1);
      await z.there(1);
      await z.perform(animal.between);
      await z.back(2);
      expect(await z.fingerprint()).toEqual(before.seen);
      expect(await z.catalog()).toEqual(before.catalog);
      await z.perform(animal.after);
      if (!animal.twice) return;
      await z.fill(4);
      await z.there(4);
      await z.back(5);
      expect(await z.fingerprint()).toEqual(before.seen);
      expect(await z.catalog()).toEqual(before.catalog);
    }),
  );
});

describe('I12 is refused before any lock', () => {
  it.concurrent.each(REFUSED.map((animal, index) => ({ ...animal, index })))('$what', ({ index, ...animal }) =>
    inTurn(index, async (lane) => {
      const z = scene(lane, animal, `r${index}`);
      await z.create();
      const before = await z.catalog();
      const { items, ok } = await lane.plane.preview(z.cutover);
      const refused = items.filter(({ action }) => action === 'refuse');
      expect(ok, JSON.stringify(items)).toBe(false);
      const named = refused.filter(({ kind, object }) => kind === animal.kind && object.includes(animal.object));
      expect(named.map(({ text }) => text).join(' '), JSON.stringify(refused)).toMatch(animal.says);
      expect(await z.catalog()).toEqual(before);
    }),
  );
});

it('has at least 60 animals, each with a name of its own', () => {
  const names = [...CROSSING, ...REFUSED].map(({ what }) => what);
  expect(new Set(names).size).toBe(names.length);
  expect(names.length).toBeGreaterThanOrEqual(60);
});
