/** I32 SQL and the SDK give the same answer for the same key. */

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { murmur3 } from '../../../lib/core/routing/murmur3.ts';
import { inShare } from '../../../lib/core/routing/routing.ts';
import { EDGE_KEYS } from '../../helpers/edge-keys.ts';
import { type OwnDatabase, ownDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';
import { route } from '../../helpers/route.ts';
import { flagOf } from '../../property/samples.ts';

let db: OwnDatabase;
let plane: TestPlane;
/** Of the mirror row; it only grows. */
let version = 1;

beforeAll(async () => {
  db = await ownDatabase();
  plane = testPlane(db);
  await db.sql.unsafe('CREATE TABLE thing (id integer PRIMARY KEY); CREATE TABLE thing_v2 (id bigint PRIMARY KEY)');
  await plane.start({
    id: 'thing',
    validation: 'strict',
    table: { primary: 'public.thing', shadow: 'public.thing_v2' },
  });
});
afterAll(async () => {
  await plane.close();
  await db.drop();
});

const FLAG = flagOf({ read_ppm: 0, salt: 'pepper' });

const TEXTS = [
  ...['', 'a', 'ab', 'abc', 'abcd', 'abcde', 'hello', 'hello, world', 'The quick brown fox jumps over the lazy dog'],
  ...[
    'é',
    'ß',
    '日本語',
    '🙂',
    '🙂🙂x',
    'a🙂',
    'é',
    "it's",
    'back\\slash',
    'line\nbreak',
    '\u0001',
    '\uffff',
    'Ω'.repeat(100),
  ],
  ...Array.from({ length: 300 }, (_, i) => `user-${i * 7919}`),
];

describe('I32 one hash', () => {
  it('murmur3_32 is the hash of the SDK, for every length and script', async () => {
    const rows = await db.sql.unsafe(
      'SELECT t.value, crossfade.murmur3_32(t.value)::float8 AS hash FROM jsonb_array_elements_text($1::text::jsonb) AS t(value)',
      [JSON.stringify(TEXTS)],
    );
    expect(rows).toHaveLength(TEXTS.length);
    for (const { value, hash } of rows) expect([value, hash]).toEqual([value, murmur3(value)]);
  });

  it('should_route_to_shadow decides like the SDK at every share', async () => {
    for (const readPpm of [0, 1, 10_000, 123_456, 500_000, 999_999, 1_000_000]) {
      version += 1;
      await plane.fence('thing', 1, { version, readPpm, salt: 'pepper', stage: 'ramp' });
      const rows = await db.sql.unsafe(
        `SELECT t.key, crossfade.should_route_to_shadow('thing', 'read', t.key) AS shadow FROM jsonb_array_elements_text($1::text::jsonb) AS t(key)`,
        [JSON.stringify(TEXTS)],
      );
      for (const { key, shadow } of rows) {
        const expected = readPpm === 1_000_000 || (key !== '' && inShare('pepper', key, readPpm));
        expect([readPpm, key, shadow]).toEqual([readPpm, key, expected]);
      }
    }
  });

  it.each(EDGE_KEYS)(
    '%s, with bucket %i at the edge of 32 bits, is in from %i ppm on',
    async (key, bucket, firstPpm) => {
      const ask = async (sql: string) => (await db.sql.unsafe(`SELECT ${sql} AS answer`))[0]!.answer;
      expect(Number(await ask(`crossfade.murmur3_32('customer:${key}')`))).toBe(bucket);
      for (const readPpm of [firstPpm - 1, firstPpm]) {
        version += 1;
        await plane.fence('thing', 1, { version, readPpm, salt: 'customer', stage: 'ramp' });
        const isIn = await ask(`crossfade.should_route_to_shadow('thing', 'read', '${key}')`);
        expect([readPpm, isIn]).toEqual([readPpm, readPpm === firstPpm]);
      }
    },
  );

  it('answers any request against any lists like the SDK', async () => {
    const word = fc.constantFrom('k', 'user-7', '日本', 'a,b', 'group:a', "it's", '');
    const entry = fc.oneof(
      word.filter((text) => text !== ''),
      fc.constantFrom('a', 'b', 'staff').map((name) => `group:${name}`),
      fc.constantFrom('prod', 'staging').map((name) => `environment:${name}`),
    );
    const request = fc.record(
      {
        key: word,
        operation: fc.constantFrom('read', 'write', 'insert', 'update', 'delete', 'upsert', 'select'),
        groups: fc.array(fc.constantFrom('a', 'b', 'staff', 'A', ''), { maxLength: 3 }),
        environment: fc.constantFrom('prod', 'staging', 'Prod', ''),
      },
      { requiredKeys: [] },
    );
    const stage = fc.constantFrom('dual_write', 'ramp', 'full_100', 'completed', 'cleaned', 'rolled_back');
    await fc.assert(
      fc.asyncProperty(
        fc.record({
          stage,
          allow: fc.array(entry, { maxLength: 3 }),
          deny: fc.array(entry, { maxLength: 2 }),
          ppm: fc.constantFrom(0, 1, 250_000, 999_999, 1_000_000),
        }),
        fc.array(request, { minLength: 40, maxLength: 40 }),
        async ({ stage, allow, deny, ppm }, requests) => {
          version += 1;
          await plane.fence('thing', 1, { version, readPpm: ppm, salt: 'pepper', stage });
          await plane.setLists([{ id: 'thing', allow, deny }]);
          const rows = await db.sql.unsafe(
            `SELECT crossfade.should_route_to_shadow('thing', r ->> 'operation', r ->> 'key',
               ARRAY(SELECT jsonb_array_elements_text(coalesce(r -> 'groups', '[]'))), r ->> 'environment') AS shadow
             FROM jsonb_array_elements($1::text::jsonb) WITH ORDINALITY AS t(r, place) ORDER BY place`,
            [JSON.stringify(requests)],
          );
          const flag = {
            ...FLAG,
            allow,
            deny,
            read_ppm: ppm,
            shadow_is_primary: stage === 'completed' || stage === 'cleaned',
          };
          const bySdk = requests.map((asked) => route(flag, undefined, asked).side === 'shadow');
          expect(rows.map(({ shadow }) => shadow)).toEqual(bySdk);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('negative control: a function without the lists is caught at once', async () => {
    version += 1;
    await plane.fence('thing', 1, { version, readPpm: 1, salt: 'pepper', stage: 'ramp' });
    await plane.setLists([{ id: 'thing', allow: ['vip'], deny: [] }]);
    const ask = async () =>
      (await db.sql.unsafe(`SELECT crossfade.should_route_to_shadow('thing', 'read', 'vip') AS shadow`))[0]!.shadow;
    expect(route({ ...FLAG, read_ppm: 1, allow: ['vip'] }, undefined, { key: 'vip' }).side).toBe('shadow');
    expect(await ask()).toBe(true);
    await plane.setLists([{ id: 'thing', allow: [], deny: [] }]);
    expect(await ask()).toBe(false);
  });

  it('knows the table by the cutover and by its names; writes and unknown tables go to the primary', async () => {
    const ask = async (table: string, operation: string) =>
      (await db.sql.unsafe(`SELECT crossfade.should_route_to_shadow('${table}', '${operation}', 'k') AS shadow`))[0]!
        .shadow;
    await plane.fence('thing', 1, { version: 1_000_000, readPpm: 1_000_000, stage: 'full_100' });
    for (const name of ['thing', 'thing_v2']) expect([name, await ask(name, 'read')]).toEqual([name, true]);
    for (const operation of ['write', 'insert', 'update', 'delete', 'upsert'])
      expect(await ask('thing', operation)).toBe(false);
    expect(await ask('nothing', 'read')).toBe(false);
  });
});
