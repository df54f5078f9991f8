/** What the functions of one cutover are asked for their page once every row is copied: see integration/postgres/said. */

import {
  type Cases,
  CONVERGE,
  COPIED,
  change,
  DUE,
  drain,
  EARLIER,
  hint,
  LATER,
  mirror,
  QUARANTINED,
  STATES,
  STATUS,
  SWEEP,
  state,
  swap,
  VERIFY,
  WAITING,
} from './database-cases.ts';

/** Of four keys, two that are none, groups and an environment: by each operation, and by each name of the table. */
const ROUTES = `SELECT jsonb_object_agg(concat_ws(' ', o, n), (SELECT jsonb_object_agg(coalesce(k, 'null') || g::text || coalesce(e, ''), crossfade.should_route_to_shadow(n, o, k, g, e))
  FROM (VALUES ('1', '{}'::text[], NULL), ('2', '{}', NULL), ('3', '{}', NULL), ('3', '{yes,no}', NULL), ('3', '{yes}', NULL), ('2', '{}', 'e'), ('4', '{}', 'f'), ('', '{}', NULL), (NULL, '{}', NULL)) v(k, g, e)))
  FROM (VALUES ('read', 'seat'), ('read', 'public.seat_v2'), ('read', 'other'), ('write', 'seat'), ('insert', 'seat'), ('update', 'seat'), ('delete', 'seat'), ('upsert', 'seat')) x(o, n)`;

export const AFTER_THE_COPY: Cases = {
  'what is captured and applied': [
    [
      `INSERT INTO seat VALUES (10, 'p10', 10), (11, 'p11', 11)`,
      change('id = 12 WHERE id = 1'),
      'DELETE FROM seat WHERE id = 2',
      CONVERGE,
      CONVERGE,
    ],
    // One that goes and comes back loses what only the shadow has.
    [
      `UPDATE seat_v2 SET tier = 'first'`,
      'DELETE FROM seat WHERE id IN (1, 2)',
      `INSERT INTO seat VALUES (1, 'p1', 1)`,
      change('price = price WHERE id = 3'),
      change('price = 30 WHERE id = 4'),
      CONVERGE,
    ],
    // Unique values that change hands: of three keys one that gets what was left, a circle, and one whose value stays with another.
    [change(`place = CASE id WHEN 1 THEN 'p2' ELSE 'other' END WHERE id < 3`), CONVERGE],
    [change(`place = 'p' || CASE id WHEN 5 THEN 6 ELSE id % 4 + 1 END WHERE id < 6`), CONVERGE, DUE, CONVERGE],
    [change(`place = 'p' || CASE id WHEN 2 THEN 8 WHEN 6 THEN 9 ELSE 8 - id END WHERE id < 8`), CONVERGE],
    // Unique values that change hands.
    [change(`place = CASE id WHEN 1 THEN 'p2' ELSE 'p1' END WHERE id < 3`), CONVERGE],
    [
      change(`place = 'p2' WHERE id = 1`),
      CONVERGE,
      DUE,
      change(`place = 'p1' WHERE id = 2`),
      'SELECT crossfade.converge_seat(1, 1)',
      CONVERGE,
    ],
    // One that never fits: five tries, and then it is put aside; once it fits it is taken back.
    [
      change('price = -1 WHERE id = 3'),
      change('price = 5 WHERE id < 3'),
      ...Array(4).fill([CONVERGE, DUE]).flat(),
      CONVERGE,
      change('price = -2 WHERE id = 3'),
      ...Array(4).fill([CONVERGE, DUE]).flat(),
      CONVERGE,
      change('price = 6 WHERE id = 3'),
      CONVERGE,
    ],
    [QUARANTINED(3, true), `UPDATE seat_v2 SET tier = 'first'`, change('price = 8 WHERE id IN (3, 4)'), CONVERGE],
    [QUARANTINED(3), QUARANTINED(3, true), QUARANTINED(3), QUARANTINED(4)],
    [
      'TRUNCATE seat',
      'SELECT crossfade.converge_seat(1, 4)',
      'SELECT crossfade.converge_seat(1, 4)',
      CONVERGE,
      CONVERGE,
    ],
    [VERIFY, hint('S', null), hint('S', null), CONVERGE],
    [VERIFY, `INSERT INTO crossfade.missed (cutover, why) VALUES ('seat', 'full')`, CONVERGE],
    [hint('K', 1, LATER), hint('K', 2, EARLIER), hint('K', 3), CONVERGE],
    // Without a number of the outbox, as where the table of hints is full.
    [
      'ALTER SEQUENCE crossfade.number_seat MAXVALUE 9000 RESTART 9000',
      change('price = 1 WHERE id = 1'),
      change('price = 2 WHERE id = 1'),
      change('id = 20 WHERE id = 2'),
    ],
    ['ALTER TABLE crossfade.outbox_seat ADD CHECK (k1 < 5) NOT VALID', change('price = 0 WHERE id > 3')],
    [
      'ALTER SEQUENCE crossfade.number_seat RESTART 8191',
      change('price = 0 WHERE id < 4'),
      change('id = 20 WHERE id = 4'),
      CONVERGE,
    ],
    // What a session has noted of another table of hints, or of numbers that are taken back, is forgotten.
    ...[
      '99999, 1',
      `1, ' || 'crossfade.outbox_seat'::regclass::oid || '`,
      `99999, ' || 'crossfade.outbox_seat'::regclass::oid || '`,
    ].map((noted) => [
      `DO $$ BEGIN PERFORM set_config('crossfade.mark_seat', '90000, 90000, 90000, 0, ${noted}', true); END $$`,
      hint('K', 1),
      CONVERGE,
    ]),
    ['SELECT crossfade.turn_seat()'],
  ],
  'what is compared': [
    [SWEEP, VERIFY, 'UPDATE seat_v2 SET price = 40 WHERE id = 4', ...COPIED, CONVERGE, VERIFY],
    [VERIFY, VERIFY],
    [
      ...['proof', 'other'].map((tier) => `SELECT crossfade.verify_seat(1, 6, '${tier}')`),
      `SELECT crossfade.verify_seat(1, 6, 'fast', 'other')`,
    ],
    [
      `UPDATE seat_v2 SET price = 40, place = 'q' WHERE id = 4`,
      'DELETE FROM seat_v2 WHERE id = 5',
      `INSERT INTO seat_v2 VALUES (77, 'y', 1)`,
      VERIFY,
      `SELECT crossfade.verify_seat(1, 6, 'proof')`,
      'SELECT crossfade.repair_seat()',
      'SELECT crossfade.consistency_seat()',
      VERIFY,
      CONVERGE,
      `SELECT crossfade.verify_seat(1, 7, 'fast', 'due')`,
    ],
    [
      'UPDATE seat_v2 SET price = price + 1',
      QUARANTINED(2),
      hint('K', 3),
      hint('D', 4),
      VERIFY,
      'SELECT crossfade.consistency_seat()',
      'SELECT crossfade.repair_seat()',
    ],
    [
      'TRUNCATE seat',
      VERIFY,
      'SELECT crossfade.consistency_seat()',
      ...[1, 77].map((key) => `SELECT crossfade.record_seat('${key}')`),
    ],
    [
      'UPDATE seat_v2 SET price = 40 WHERE id = 4',
      'DELETE FROM seat_v2 WHERE id = 5',
      hint('K', 4),
      QUARANTINED(5),
      ...[3, 4, 5, 77].map((key) => `SELECT crossfade.record_seat('${key}')`),
      `SELECT crossfade.record_seat('{"id": 4}')`,
      `SELECT crossfade.record_seat('{"no": 4}')`,
    ],
    ['INSERT INTO seat_v2 SELECT n, n::text, 1 FROM generate_series(100, 130) n', VERIFY, STATUS],
    // A pass that is under way: what it goes on with, and what makes it begin anew.
    ...[
      ['fast', 'full'],
      ['proof', 'full'],
      ['fast', 'due'],
      ['proof', 'due'],
    ].flatMap(([tier, scope]) =>
      ['fast', 'proof'].flatMap((asked) =>
        ['full', 'due'].map((of) => [
          `INSERT INTO crossfade.verification_pass (cutover, number, state, epoch, tier, scope, horizon, counted_pages, counted_rows) VALUES ('seat', 4, 'running', 1, '${tier}', '${scope}', pg_snapshot_xmin(pg_current_snapshot()), 0, 0)`,
          `SELECT crossfade.verify_seat(1, 6, '${asked}', '${of}')`,
        ]),
      ),
    ),
    // Ranges: six of them, of which those are looked at that were touched, differ, were never looked at, and the four oldest.
    ...[
      [],
      ['INSERT INTO crossfade.touched_seat VALUES (8)'],
      ['INSERT INTO crossfade.touched_seat VALUES (NULL)'],
      ['UPDATE crossfade.segment_seat SET verified_at = NULL WHERE place = 9'],
      ['UPDATE crossfade.segment_seat SET divergences = 1 WHERE place = 7'],
    ].flatMap((more) =>
      ['due', 'full'].map((scope) => [
        `INSERT INTO crossfade.segment_seat (place, l1, h1, rows, size, verified_at, pass) OVERRIDING SYSTEM VALUE SELECT n, nullif(n - 1, 0), nullif(n, 9), 1, 1, clock_timestamp() - interval '1 day' + make_interval(mins => n), 3 FROM generate_series(1, 9) n`,
        ...more,
        `SELECT crossfade.verify_seat(1, 6, 'fast', '${scope}')`,
      ]),
    ),
    // Ranges that leave something out, or have no end.
    ...[
      'DELETE FROM crossfade.segment_seat WHERE place = 2',
      'UPDATE crossfade.segment_seat SET h1 = 9 WHERE h1 IS NULL',
      'UPDATE crossfade.segment_seat SET l1 = 1 WHERE place = 1',
    ].map((fault) => [
      `INSERT INTO crossfade.segment_seat (place, l1, h1) OVERRIDING SYSTEM VALUE VALUES (1, NULL, 3), (2, 3, 6), (3, 6, NULL)`,
      fault,
      VERIFY,
      VERIFY,
    ]),
    [VERIFY, change('price = 50 WHERE id = 5'), CONVERGE, `SELECT crossfade.verify_seat(1, 6, 'fast', 'due')`],
    [VERIFY, SWEEP, ...COPIED, 'UPDATE seat_v2 SET price = 1', VERIFY, 'UPDATE seat_v2 SET price = id', VERIFY],
  ],
  'a swap': [
    [swap(), swap(), swap({ direction: 'none' })],
    [swap({ direction: 'none', version: 0 }), swap({ from: 2, to: 3 })],
    ...STATES.map((name) => [
      name === 'none' ? 'DELETE FROM crossfade.backfill' : state(name),
      swap(),
      swap({ direction: 'none' }),
    ]),
    ...[0, 1, 2].map((from) => [swap({ from, to: 3 })]),
    ...[8, 9, 10].map((abandoned) => [`UPDATE crossfade.cutover SET abandoned = ${abandoned}`, swap()]),
    [QUARANTINED(4), QUARANTINED(3), swap()],
    [swap({ print: `'other'` }), swap({ views: '{public.gone}' })],
    [`UPDATE crossfade.backfill SET sweep_why = 'why'`, swap(), state('running'), swap({ direction: 'none' })],
    ...[1, 2, 3].map((most) => [change('price = 0 WHERE id < 3'), drain(most), swap({ most })]),
    [change('price = 0 WHERE id < 3'), drain(50, 2), drain(50, 50)],
    ...[
      hint('K', 3, LATER),
      hint('K', 3, EARLIER),
      hint('S', null),
      hint('T', null),
      `INSERT INTO crossfade.missed (cutover, why) VALUES ('seat', 'full')`,
      `INSERT INTO crossfade.missed (cutover, why) VALUES ('other', 'full')`,
      change('price = -1 WHERE id = 3'),
    ].map((more) => [more, drain(50), swap()]),
  ],
  'who gives up, and what is mirrored': [
    ...[0, 1, 2].flatMap((epoch) =>
      [2, 3, 4].map((version) => [
        'UPDATE crossfade.cutover SET abandoned = 3',
        `SELECT crossfade.abandon('seat', ${epoch}, ${version})`,
      ]),
    ),
    ...[0, 1, 2].flatMap((epoch) => [0, 1, 2].map((version) => [mirror(epoch, version)])),
    [mirror(1, 1, 'other')],
    ...[4, 5, 6].flatMap((version) =>
      ['true', 'false'].map((on) => [
        'UPDATE crossfade.cutover SET inline_version = 5, inline_writes = true',
        `SELECT crossfade.switch_inline('seat', ${version}, ${on})`,
      ]),
    ),
    [...['1', '1', '2'].map((key) => `SELECT crossfade.record_foreign_write('seat', '${key}', 'UPDATE')`), STATUS],
  ],
  'who reads the new table': [
    ...['0', '1', '500000', '999999', '1000000'].map((share) => [
      `UPDATE crossfade.cutover SET read_ppm = ${share}`,
      ROUTES,
    ]),
    ...['dual_write', 'completed', 'cleaned'].map((stage) => [
      `UPDATE crossfade.cutover SET stage = '${stage}', read_ppm = 500000, deny = '{1,group:no,environment:e}', allow = '{2,4,group:yes}'`,
      ROUTES,
      `UPDATE crossfade.cutover SET read_ppm = 0`,
      ROUTES,
    ]),
  ],
  'how it stands': [
    [
      `INSERT INTO crossfade.index_aside (cutover, shadow, name, schema, definition) VALUES ('seat', 1, 'i', 'public', ''), ('other', 1, 'i', 'public', '')`,
      `INSERT INTO crossfade.inline_failure (cutover, key, sqlstate, reason, times) VALUES ('seat', '1', '', '', 3), ('seat', '2', '', '', 4), ('other', '1', '', '', 5)`,
      STATUS,
      `UPDATE crossfade.backfill SET state = 'paused'`,
      STATUS,
    ],
    [STATUS, WAITING, 'UPDATE crossfade.cutover SET version = 0', STATUS],
    [
      `INSERT INTO crossfade.outbox_seat (k1, at) VALUES (1, clock_timestamp() - interval '90 seconds'), (2, clock_timestamp() - interval '60 seconds')`,
      STATUS,
      WAITING,
      'UPDATE crossfade.cutover SET shadow_writes = false',
      WAITING,
    ],
    [
      `INSERT INTO crossfade.missed (cutover, why, at) VALUES ('seat', 'full', clock_timestamp() - interval '120 seconds')`,
      STATUS,
      WAITING,
    ],
    [hint('K', 1, LATER), STATUS, WAITING, hint('K', 2, EARLIER), WAITING],
    [
      `UPDATE crossfade.outbox_seat SET at = at`,
      `INSERT INTO crossfade.outbox_seat (k1, at) VALUES (1, ${LATER})`,
      STATUS,
    ],
    [
      VERIFY,
      STATUS,
      `DO $$ BEGIN PERFORM crossfade.quarantine_key('seat', format('{"id": %s}', n), '23514', 'no', 5) FROM generate_series(10, 31) n; END $$`,
      QUARANTINED(4),
      STATUS,
    ],
    [...[LATER, EARLIER].flatMap((until) => [`UPDATE crossfade.cutover SET read_only_until = ${until}`, STATUS])],
  ],
};
