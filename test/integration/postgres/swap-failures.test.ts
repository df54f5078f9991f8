/** I6 I9 I11 a swap that cannot be done now changes nothing and says whom it waits for; one that is cut off is before or after. */

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PgConnection } from '../../../lib/adapters/postgres/connection/connection.ts';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { swapping } from '../../helpers/breakpoints.ts';
import type { OwnDatabase } from '../../helpers/postgres.ts';
import {
  differences,
  eventually,
  postgresCalls,
  type TestPlane,
  tamper,
  testPlane,
} from '../../helpers/postgres-tables.ts';
import { recycledDatabase } from '../../helpers/recycled-database.ts';
import { edited } from '../../helpers/sql-plants.ts';
import type { TableCalls } from '../../helpers/table-ports.ts';

const NOTE: TableCutover = {
  id: 'note',
  validation: 'strict',
  table: { primary: 'public.note', shadow: 'public.note_v2', columns: { words: { from: 'text' } } },
};
const PROMOTE = { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 2 };
const REVERT = { fromEpoch: 2, toEpoch: 3, stage: 'rolled_back', version: 3 };

let db: OwnDatabase;
let plane: TestPlane;

beforeEach(async () => {
  db = await recycledDatabase();
  plane = testPlane(db);
  await db.sql.unsafe(`CREATE TABLE note (id integer PRIMARY KEY, text text); CREATE TABLE note_v2 (id bigint PRIMARY KEY, words text);
    CREATE TABLE reply (note_id integer CONSTRAINT reply_note_fkey REFERENCES note); INSERT INTO note VALUES (1, 'a'), (2, 'b')`);
  await plane.start(NOTE);
  await plane.copy('note', 1);
});
afterEach(async () => {
  await plane.close();
  await db.drop();
});

/** Everything that a swap changes. */
async function seen() {
  const [row] =
    await db.sql.unsafe(`SELECT crossfade.dependents(c.primary_oid, c.shadow_oid) AS catalog, c.direction, c.epoch, c.plan,
    (SELECT jsonb_agg(t.tgname || ' on ' || t.tgrelid::regclass ORDER BY t.tgname) FROM pg_trigger t WHERE t.tgname LIKE 'crossfade%') AS triggers
    FROM crossfade.cutover c`);
  return row!;
}

const isPromoted = async () => {
  const [row] =
    await db.sql.unsafe(`SELECT c.direction, c.epoch::int, c.shadow_oid::regclass::text AS shadow, c.primary_oid::regclass::text AS primary,
    (SELECT confrelid = c.shadow_oid FROM pg_constraint WHERE conname = 'reply_note_fkey') AS repointed,
    (SELECT count(*)::int FROM pg_trigger t WHERE t.tgname IN ('crossfade_capture', 'crossfade_truncated') AND t.tgrelid = c.shadow_oid) AS captured
    FROM crossfade.cutover c`);
  return { ...row! };
};
const BEFORE = {
  direction: 'forward',
  epoch: 1,
  shadow: 'note_v2',
  primary: 'note',
  repointed: false,
  captured: 0,
};
const AFTER = { direction: 'reverse', epoch: 2, shadow: 'note', primary: 'note_old', repointed: true, captured: 2 };

describe('I11 a lock that somebody holds', () => {
  it.each([
    ['the table', 'SELECT * FROM note'],
    ['a table that references it', 'SELECT * FROM reply'],
  ])('on %s puts it off, with the name of who holds it', { timeout: 30_000 }, async (_, statement) => {
    const before = await seen();
    const blocker = db.connect();
    await blocker.unsafe("SET application_name = 'slow report'");
    await blocker.unsafe(`BEGIN; ${statement}`).simple();
    const result = await plane.promote(NOTE, PROMOTE);
    expect(result).toMatchObject({ kind: 'postponed', why: expect.stringContaining("'slow report' (process ") });
    expect(result).toMatchObject({ why: expect.stringMatching(/idle in transaction, its transaction is \d+ s old/) });
    expect(await seen()).toEqual(before);
    await blocker.unsafe('COMMIT');
    expect(await plane.promote(NOTE, PROMOTE)).toMatchObject({ kind: 'swapped' });
    expect(await isPromoted()).toEqual(AFTER);
  });

  it('for a moment only costs a try', async () => {
    const blocker = db.connect();
    await blocker.unsafe('BEGIN; SELECT * FROM note').simple();
    const swap = plane.promote(NOTE, PROMOTE);
    await eventually(async () => (await waitingSwap()) !== null, 'the swap waits for the lock');
    await blocker.unsafe('COMMIT');
    expect(await swap).toMatchObject({ kind: 'swapped' });
  });

  it('none, but an old snapshot puts it off: it would see the new table as of then', { timeout: 30_000 }, async () => {
    const reader = db.connect();
    await reader.unsafe("SET application_name = 'long reader'");
    await reader.unsafe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1').simple();
    const result = await plane.promote(NOTE, PROMOTE);
    expect(result).toMatchObject({ kind: 'postponed', why: expect.stringContaining('old snapshot: long reader') });
    expect(await isPromoted()).toEqual(BEFORE);
    await reader.unsafe('COMMIT');
    expect(await plane.promote(NOTE, PROMOTE)).toMatchObject({ kind: 'swapped' });
  });
});

/** A caller that has read where the cutover stands, and comes to its tables when another one has swapped them. */
function overtakenBy(swap: () => Promise<unknown>): TableCalls {
  const owner = plane.connection();
  let overtaken = false;
  const call: PgConnection['call'] = async (statement, ...rest) => {
    const rows = await owner.call(statement, ...rest);
    if (statement.includes("'primaryOid'") && !overtaken) {
      overtaken = true;
      await swap();
    }
    return rows as never;
  };
  return postgresCalls({ runtime: plane.connection(), owner: { ...owner, call } });
}

describe('I9 the epoch', () => {
  it('of another time changes nothing', async () => {
    const before = await seen();
    for (const fromEpoch of [0, 2, 7]) {
      const late = await plane.promote(NOTE, { ...PROMOTE, fromEpoch, toEpoch: fromEpoch + 1 });
      expect(late.kind === 'postponed' || late.kind === 'already').toBe(true);
      if (late.kind === 'postponed') expect(late.why).toContain(`not at ${fromEpoch}`);
    }
    expect(await seen()).toEqual(before);
  });

  it('that another command took meanwhile is not mistaken for a swap that was done', async () => {
    await plane.fence('note', 2);
    expect(await plane.promote(NOTE, PROMOTE)).toMatchObject({ kind: 'postponed' });
    expect(await isPromoted()).toEqual({ ...BEFORE, epoch: 2 });
  });

  it('lets one of two callers swap, and tells the other', async () => {
    const second = testPlane(db);
    const results = await Promise.all([plane.promote(NOTE, PROMOTE), second.promote(NOTE, PROMOTE)]);
    await second.close();
    const kinds = results.map(({ kind }) => kind).sort();
    // On a busy machine the one may hold the lock for longer than the other waits.
    const fair = [
      ['already', 'swapped'],
      ['postponed', 'swapped'],
    ];
    expect(fair, JSON.stringify(results)).toContainEqual(kinds);
    expect(await plane.promote(NOTE, PROMOTE)).toEqual({ kind: 'already' });
    expect(await plane.revert(NOTE, REVERT)).toMatchObject({ kind: 'swapped' });
    expect(await plane.revert(NOTE, REVERT)).toEqual({ kind: 'already' });
  });

  it('is told that it was done, whoever looked at the tables while somebody else swapped them', async () => {
    const late = overtakenBy(() => plane.promote(NOTE, PROMOTE));
    expect(await late.promote(NOTE, PROMOTE)).toEqual({ kind: 'already' });
    const lateBack = overtakenBy(() => plane.revert(NOTE, REVERT));
    expect(await lateBack.revert(NOTE, REVERT)).toEqual({ kind: 'already' });
    expect(await isPromoted()).toEqual({ ...BEFORE, direction: 'none', epoch: REVERT.toEpoch });
  });

  it('prepares what is there now, whoever looked at the tables while somebody else swapped them', async () => {
    const late = overtakenBy(() => plane.promote(NOTE, PROMOTE));
    expect(await late.preview(NOTE)).toEqual(await plane.preview(NOTE));
    expect(await isPromoted()).toMatchObject({ direction: 'reverse' });
  });
});

describe('I1 a change that is not applied yet', () => {
  const putOff = () =>
    db.sql.unsafe(
      `INSERT INTO note VALUES (3, 'c'); UPDATE crossfade.outbox_note SET not_before = clock_timestamp() + interval '1 hour'`,
    );

  it('puts it off', { timeout: 30_000 }, async () => {
    await putOff();
    const result = await plane.promote(NOTE, PROMOTE);
    expect(result).toMatchObject({ kind: 'postponed', why: expect.stringContaining('1 changes could not be applied') });
    expect(await isPromoted()).toEqual(BEFORE);
  });

  it('would be lost by a swap that does not look (negative control)', async () => {
    const [drain] = await db.sql.unsafe("SELECT pg_get_functiondef('crossfade.drain'::regproc) AS text");
    await db.sql.unsafe(
      "CREATE OR REPLACE FUNCTION crossfade.drain(p_id text, p_epoch bigint, p_most integer, p_rest integer) RETURNS integer LANGUAGE sql AS 'SELECT 0'",
    );
    try {
      await putOff();
      expect(await plane.promote(NOTE, PROMOTE)).toMatchObject({ kind: 'swapped' });
      const lost = await differences(db, 'SELECT id::bigint, text FROM note_old', 'SELECT id, words FROM note');
      expect(lost).toEqual([{ side: 'left', row: '(3,c)' }]);
    } finally {
      await db.sql.unsafe(drain!.text);
    }
  });

  it('because it cannot be, puts it off with the key', { timeout: 30_000 }, async () => {
    await db.sql.unsafe("SELECT crossfade.quarantine_key('note', '{\"id\": 2}', '23514', 'does not fit', 5)");
    const result = await plane.promote(NOTE, PROMOTE);
    expect(result).toMatchObject({ kind: 'postponed', why: expect.stringContaining('in quarantine, first {"id": 2}') });
    expect(await isPromoted()).toEqual(BEFORE);
  });
});

describe('an application that writes all the time', () => {
  /** While nobody holds the lock of a swap, so many changes come with each pass that applies what waits. */
  const writing = (changes: number) =>
    tamper(
      db,
      plane.connection(),
      NOTE,
      edited([
        [
          'converge',
          /(?=SELECT count\(\*\) INTO v_left)/,
          `IF NOT EXISTS (SELECT FROM pg_locks l WHERE l.pid = pg_backend_pid() AND l.relation = 'public.note'::regclass AND l.mode = 'AccessExclusiveLock') THEN
             INSERT INTO crossfade.outbox_note (op, k1) SELECT 'U', 1 FROM generate_series(1, ${changes});
           END IF;
           `,
        ],
      ]),
    );
  const promoted = async (changes: number) => {
    await writing(changes);
    await db.sql.unsafe("UPDATE note SET text = 'c' WHERE id = 1");
    return plane.promote(NOTE, PROMOTE);
  };

  it.each([1, 40])(
    'is not waited for until it pauses: %i changes with each pass',
    { timeout: 120_000 },
    async (changes) => {
      expect(await promoted(changes)).toMatchObject({ kind: 'swapped', attempts: 1 });
      expect(await differences(db, 'SELECT id::bigint, text FROM note_old', 'SELECT id, words FROM note')).toEqual([]);
    },
  );

  it('and more than is applied under the lock puts it off', { timeout: 120_000 }, async () => {
    expect(await promoted(400)).toMatchObject({
      kind: 'postponed',
      why: expect.stringMatching(/\d+ or more changes came while it was tried, and a swap takes at most 6000 with it/),
    });
    expect(await isPromoted()).toEqual(BEFORE);
  });

  it('beside a change that is put off is told about that change', { timeout: 120_000 }, async () => {
    await db.sql
      .unsafe("INSERT INTO note VALUES (3, 'c'); UPDATE crossfade.outbox_note SET not_before = 'infinity'")
      .simple();
    expect(await promoted(1)).toMatchObject({
      kind: 'postponed',
      why: expect.stringContaining('1 changes could not be applied yet'),
    });
  });
});

describe('I12 a table that is altered after the swap was prepared', () => {
  it('is noticed under the lock, and nothing is changed', { timeout: 30_000 }, async () => {
    const before = await seen();
    const [drain] = await db.sql.unsafe("SELECT pg_get_functiondef('crossfade.drain'::regproc) AS text");
    // Stands for somebody who is faster than the lock: comes between the first look and the second.
    await db.sql.unsafe(`CREATE OR REPLACE FUNCTION crossfade.drain(p_id text, p_epoch bigint, p_most integer, p_rest integer) RETURNS integer
      LANGUAGE plpgsql AS $$ BEGIN CREATE VIEW public.sudden AS SELECT id FROM public.note; RETURN 0; END $$`);
    try {
      const result = await plane.promote(NOTE, PROMOTE);
      expect(result).toMatchObject({ kind: 'postponed', why: expect.stringContaining('changed after the plan') });
    } finally {
      await db.sql.unsafe(drain!.text);
    }
    expect(await seen()).toEqual(before);
  });
});

describe('a swap that leaves a statement out (negative control)', () => {
  const without = (left: RegExp) =>
    postgresCalls({
      runtime: plane.connection(),
      owner: swapping(plane.connection(), (statements) => {
        const kept = statements.filter((statement) => !left.test(statement));
        expect(kept.length).toBeLessThan(statements.length);
        return kept;
      }),
    });

  it('forgets the rows that come before reverse capture is armed', async () => {
    await without(/CREATE TRIGGER crossfade_capture|crossfade_capture$/).promote(NOTE, PROMOTE);
    await db.sql.unsafe("UPDATE note SET words = 'late' WHERE id = 1");
    await plane.settle('note', 2);
    const lost = await differences(db, 'SELECT id, words FROM note', 'SELECT id::bigint, text FROM note_old');
    expect(lost).toEqual([
      { side: 'left', row: '(1,late)' },
      { side: 'right', row: '(1,a)' },
    ]);
  });

  it('keeps a foreign key pointed at the table that nobody writes any more', async () => {
    await without(/ADD CONSTRAINT "?reply_note_fkey|DROP CONSTRAINT "?reply_note_fkey/).promote(NOTE, PROMOTE);
    expect(await isPromoted()).toMatchObject({ direction: 'reverse', repointed: false });
  });
});

describe('I6 a swap that is cut off', () => {
  it('in its last step has changed nothing, and goes when it is asked again', { timeout: 30_000 }, async () => {
    const before = await seen();
    const blocker = db.connect();
    // Everything is renamed by then; the mirror row is written last.
    await blocker.unsafe('BEGIN; SELECT * FROM crossfade.cutover FOR UPDATE').simple();
    const swap = plane.promote(NOTE, PROMOTE).then(
      (result) => result.kind,
      () => 'cut off',
    );
    await eventually(async () => {
      const pid = await waitingSwap();
      return pid !== null && (await db.sql.unsafe(`SELECT pg_terminate_backend(${pid}) AS done`))[0]!.done;
    }, 'the swap waits for its last step');
    expect(await swap).toMatch(/cut off|postponed/);
    expect(await seen()).toEqual(before);
    await blocker.unsafe('COMMIT');
    expect(await plane.promote(NOTE, PROMOTE)).toMatchObject({ kind: 'swapped' });
    expect(await isPromoted()).toEqual(AFTER);
  });

  // At each named moment: breakpoints.test.ts.
  it('at any moment is fully before or fully after', { timeout: 60_000 }, async () => {
    let epoch = 1;
    const outcomes: string[] = [];
    for (let round = 0; round < 5; round += 1) {
      const swap = plane
        .promote(NOTE, { fromEpoch: epoch, toEpoch: epoch + 1, stage: 'completed', version: epoch + 1 })
        .catch(() => 'cut off');
      await kill(round);
      await swap;
      const now = await isPromoted();
      outcomes.push(now.direction);
      if (now.direction === 'forward') expect(now).toEqual({ ...BEFORE, epoch });
      else {
        expect(now).toEqual({ ...AFTER, epoch: epoch + 1 });
        const back = { fromEpoch: epoch + 1, toEpoch: epoch + 2, stage: 'rolled_back', version: epoch + 2 };
        expect(await plane.revert(NOTE, back)).toMatchObject({ kind: 'swapped' });
        await plane.arm(NOTE);
        epoch += 3;
        await plane.fence('note', epoch);
        await plane.copy('note', epoch);
      }
    }
    console.log(`cut off after 0, 5, 10 … ms of the swap: ${outcomes.join(', ')}`);
    expect(outcomes).toContain('forward');
  });

  /** Ends the backend of a running swap after it was seen at work for some milliseconds. */
  async function kill(round: number): Promise<void> {
    const watcher = db.connect();
    await watcher.unsafe(`DO $$ DECLARE v_pid integer; BEGIN
      FOR i IN 1 .. 2000 LOOP
        SELECT pid INTO v_pid FROM pg_stat_get_activity(NULL) JOIN pg_database d ON d.oid = datid AND d.datname = current_database()
        WHERE query LIKE '%crossfade.swap(%' AND state = 'active' AND pid <> pg_backend_pid();
        EXIT WHEN v_pid IS NOT NULL;
        PERFORM pg_sleep(0.0005);
        PERFORM pg_stat_clear_snapshot();
      END LOOP;
      PERFORM pg_sleep(${round * 0.005});
      PERFORM pg_terminate_backend(v_pid);
    END $$`);
    await watcher.end({ timeout: 1 });
  }
});

async function waitingSwap(): Promise<number | null> {
  const [row] = await db.sql.unsafe(
    `SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND query LIKE '%crossfade.swap(%'
       AND wait_event_type = 'Lock' AND pid <> pg_backend_pid()`,
  );
  return row?.pid ?? null;
}
