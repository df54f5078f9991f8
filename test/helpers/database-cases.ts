/** What the functions of one cutover are asked for their page: see integration/postgres/said. */

export const SWEEP = `SELECT crossfade.begin_sweep('seat', 'why')`;
export const CONVERGE = `SELECT crossfade.converge_seat(1, 100)`;
export const COPY = `SELECT crossfade.backfill_seat(1, 1000)`;
export const VERIFY = `SELECT crossfade.verify_seat(1, 5)`;
/** A copy of three chunks, and the call that finds that there is no more. */
export const COPIED = [...Array(3).fill('SELECT crossfade.backfill_seat(1, 4)'), COPY];
export const state = (name: string) => `UPDATE crossfade.backfill SET state = '${name}'`;
export const hint = (op: string, key: number | null, more = '') =>
  `INSERT INTO crossfade.outbox_seat (op, k1${more && ', not_before'}) VALUES ('${op}', ${key}${more && `, ${more}`})`;
export const QUARANTINED = (key: number, deleted = false) =>
  `SELECT crossfade.quarantine_key('seat', '{"id": ${key}}', '23514', 'no', 5, ${deleted})`;
export const LATER = `clock_timestamp() + interval '1 hour'`;
export const EARLIER = `clock_timestamp() - interval '1 hour'`;
export const DUE = 'UPDATE crossfade.outbox_seat SET not_before = NULL';

type Swap = {
  from?: number;
  to?: number;
  direction?: string;
  version?: number;
  views?: string;
  print?: string;
  most?: number;
};
export const swap = ({
  from = 1,
  to = 2,
  direction = 'reverse',
  version = 9,
  views = '{}',
  print,
  most = 50,
}: Swap = {}) =>
  `SELECT crossfade.swap('seat', ${from}, ${to}, '${direction}', 'completed', ${version}, '${views}', ARRAY['seat'::regclass, 'seat_v2'::regclass]::oid[],
    ARRAY['SELECT 1'], ${print ?? `crossfade.catalog_fingerprint('seat'::regclass, 'seat_v2'::regclass)`}, '{}', ${most})`.replaceAll(
    /\s+/g,
    ' ',
  );
export const mirror = (epoch: number, version: number, id = 'seat') =>
  `SELECT crossfade.mirror('${id}', ${epoch}, ${version}, 'r10', false, 100000, 'salt')`;
export const drain = (most: number, rest = 0) => `SELECT crossfade.drain('seat', 1, ${most}, ${rest})`;
export const change = (more: string) => `UPDATE seat SET ${more}`;
export const STATUS = `SELECT crossfade.table_status('seat')`;
export const WAITING = `SELECT jsonb_agg(to_jsonb(w)) FROM crossfade.waiting() w`;

const SOME = [null, 0, 1, 10_000, 10_001] as const;
export const STATES = ['none', 'running', 'paused', 'cancelled', 'done'] as const;
/** Under what they are about: statements, the one after the other, over tables as they were. */
export type Cases = Readonly<Record<string, readonly (readonly string[])[]>>;

export const BEFORE_THE_COPY: Cases = {
  'how much is taken at once': [
    ...SOME.map((limit) => [`SELECT crossfade.converge_seat(1, ${limit})`]),
    ...[...SOME, 1_000_000, 1_000_001].map((limit) => [`SELECT crossfade.backfill_seat(1, ${limit})`]),
    [change('price = 7 WHERE id < 4'), 'SELECT crossfade.converge_seat(1, 2)', 'SELECT crossfade.converge_seat(1, 2)'],
  ],
  'of another epoch, and of tables that are other ones': [
    ...[0, 2].map((epoch) => [
      `SELECT crossfade.converge_seat(${epoch}, 1)`,
      `SELECT crossfade.backfill_seat(${epoch}, 1)`,
      `SELECT crossfade.verify_seat(${epoch}, 5)`,
      `SELECT crossfade.control_backfill('seat', ${epoch}, 'pause')`,
    ]),
    ['UPDATE crossfade.shape SET stopped = true', CONVERGE, COPY, VERIFY],
    ['UPDATE crossfade.shape SET database = 1', CONVERGE, COPY, VERIFY],
    [
      'DELETE FROM crossfade.cutover',
      CONVERGE,
      `SELECT crossfade.control_backfill('seat', 1, 'pause')`,
      STATUS,
      mirror(1, 1),
    ],
  ],
  'who controls the copy': STATES.flatMap((name) =>
    ['pause', 'cancel', 'resume', 'other'].map((action) => [
      ...(name === 'none' ? ['DELETE FROM crossfade.backfill'] : [...COPIED.slice(0, 1), state(name)]),
      `SELECT crossfade.control_backfill('seat', 1, '${action}')`,
    ]),
  ),
  'a copy': [
    [...COPIED, COPY],
    [state('paused'), COPY],
    [state('cancelled'), COPY, VERIFY],
    ['DELETE FROM crossfade.backfill', COPY],
    ['DELETE FROM seat', COPY, VERIFY],
    ['DELETE FROM seat', COPY, `INSERT INTO seat_v2 VALUES (1, 'x', 1)`, VERIFY],
    // Rows that are there already: one that is equal, one that is not, one that nobody has.
    [
      `INSERT INTO seat_v2 VALUES (2, 'p2', 2, 'first'), (3, 'x', 3, 'first'), (6, 'p6', 6), (77, 'y', 1)`,
      'UPDATE crossfade.backfill SET shadow_had_rows = true',
      ...COPIED,
      CONVERGE,
    ],
    [`INSERT INTO seat_v2 VALUES (2, 'p2', 2, 'first'), (77, 'p5', 1)`, ...COPIED, CONVERGE],
    // A row that does not fit, in the middle of three chunks.
    [change('price = -1 WHERE id = 5'), ...COPIED, CONVERGE],
    // While it goes on a row goes, and one comes after the last.
    [
      COPIED[0]!,
      'DELETE FROM seat WHERE id = 2',
      `INSERT INTO seat VALUES (10, 'p10', 10)`,
      ...COPIED.slice(1),
      CONVERGE,
    ],
    [COPIED[0]!, SWEEP, `SELECT crossfade.begin_sweep('other', 'why')`],
    [
      COPIED[0]!,
      STATUS,
      'UPDATE crossfade.backfill SET rows_total = 2',
      STATUS,
      `UPDATE crossfade.backfill SET sweep_why = 'why'`,
      STATUS,
    ],
  ],
};
