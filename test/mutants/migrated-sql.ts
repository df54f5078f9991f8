/**
 * Named mutants of the functions of the schema `crossfade`, as they are after the last migration: what is found in the function as Postgres
 * writes it out, and what is put there. They are planted into the database that tests copy.
 */

import type { NamedMutant } from './generated-sql.ts';

type Migrated = { of: string; tests: readonly string[]; mutants: readonly NamedMutant[] };

const SWAP = [
  'said',
  'promotion.test',
  'refusals',
  'swap-failures',
  'return-trip',
  'rollback-wins',
  'in-the-way',
  'promotion-roles',
  'isolation',
] as const;

export const MIGRATED_SQL: readonly Migrated[] = [
  {
    of: 'abandon',
    tests: ['said', 'rollback-wins', 'refusals', 'contract'],
    mutants: [
      ['work that is done is given up', 'IF v_epoch >= p_epoch THEN', 'IF v_epoch > p_epoch THEN'],
      ['what was given up is forgotten', 'greatest(c.abandoned, p_version)', 'c.abandoned'],
      ['giving up does not wait for the swap', 'PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));', ''],
    ],
  },
  {
    of: 'mirror',
    tests: ['said', 'contract', 'invariants', 'rollback-wins', 'switches'],
    mutants: [
      ['an older state overwrites the mirror', 'IF (v.epoch, v.version) > (p_epoch, p_version) THEN', 'IF false THEN'],
      ['the mirror does not wait for appliers', 'PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));', ''],
      ['the mirror forgets the switch of writes', 'shadow_writes = p_shadow_writes', 'shadow_writes = true'],
    ],
  },
  {
    of: 'swap',
    tests: SWAP,
    mutants: [
      ['a swap of any epoch', 'IF v.epoch IS DISTINCT FROM p_from THEN', 'IF false THEN'],
      ['a swap that was given up', 'IF p_version <= v.abandoned THEN', 'IF p_version < v.abandoned THEN'],
      [
        'a swap with keys in quarantine',
        "IF v_count > 0 THEN\n      RAISE EXCEPTION '% keys are in quarantine",
        "IF false THEN\n      RAISE EXCEPTION '% keys are in quarantine",
      ],
      [
        'a swap before the copy is done',
        "b.state = 'done') THEN\n      RAISE EXCEPTION 'the backfill is not done'",
        "true) THEN\n      RAISE EXCEPTION 'the backfill is not done'",
      ],
      ['a swap of tables that were changed since', 'IS DISTINCT FROM p_fingerprint THEN', 'IS NULL THEN'],
      ['a swap of tables that were changed under it', 'IS DISTINCT FROM v_stamp THEN', 'IS NULL THEN'],
      ['a swap leaves hints behind', 'v_drained := crossfade.drain(p_id, p_from, p_most, 0);', 'v_drained := 0;'],
      [
        'a swap under an old snapshot',
        "AND a.state LIKE 'idle in transaction%' AND a.backend_xmin IS NOT NULL;",
        'AND false;',
      ],
      [
        'a swap under a snapshot from before the copy',
        "WHERE b.cutover = p_id AND p_direction = 'reverse';",
        'WHERE false;',
      ],
      ['a swap does not wait for appliers', 'PERFORM pg_advisory_xact_lock(crossfade.lock_key(p_id));', ''],
      ['a swap is done twice', 'IF v.epoch = p_to AND v.direction = p_direction THEN', 'IF false THEN'],
      ['a swap keeps its lock for ever', 'IF clock_timestamp() - v_since > v_longest THEN', 'IF false THEN'],
      ['a swap writes no version', 'version = greatest(c.version, p_version)', 'version = c.version'],
      [
        'a swap in any isolation',
        "IF current_setting('transaction_isolation') <> 'read committed' THEN",
        'IF false THEN',
      ],
    ],
  },
  {
    of: 'drain',
    tests: ['said', 'promotion.test', 'capture-unfailing', 'in-the-way', 'what-waits', 'swap-failures'],
    mutants: [
      [
        'missed changes are no matter to a swap',
        'IF v_unnamed OR EXISTS (SELECT FROM crossfade.missed m WHERE m.cutover = p_id) THEN',
        'IF v_unnamed THEN',
      ],
      ['unnamed changes are no matter to a swap', 'IF v_unnamed OR EXISTS (', 'IF EXISTS ('],
      [
        'a sweep is no matter to a swap',
        "IF FOUND THEN\n    RAISE EXCEPTION 'a sweep",
        "IF false THEN\n    RAISE EXCEPTION 'a sweep",
      ],
      ['a key in quarantine is drained', "AND (v_result ->> 'quarantined')::integer = 0 THEN", 'THEN'],
      ['a drain has no end', 'IF v_done + v_left > p_most THEN', 'IF false THEN'],
    ],
  },
  {
    of: 'begin_sweep',
    tests: ['said', 'what-waits', 'capture-unfailing', 'shape-watch', 'unknown-functions'],
    mutants: [
      ['a sweep compares nothing', 'shadow_had_rows = true', 'shadow_had_rows = false'],
      ['a sweep begins where the copy is', 'copied_key = NULL, swept_key = NULL,', 'swept_key = NULL,'],
      ['what was verified before a sweep stays', 'DELETE FROM crossfade.verification r WHERE r.cutover = p_id;', ''],
    ],
  },
  {
    of: 'control_backfill',
    tests: ['said', 'backfill', 'contract'],
    mutants: [
      ['an old epoch controls the copy', 'IF v_have IS DISTINCT FROM p_epoch THEN', 'IF false THEN'],
      ['a copy is paused while a chunk goes on', 'WHERE b.cutover = p_id FOR UPDATE;', 'WHERE b.cutover = p_id;'],
      [
        'a cancelled copy goes on where it was',
        'copied_key = NULL, swept_key = NULL, upper_key = NULL, rows_done = 0',
        'rows_done = 0',
      ],
      [
        'a done copy is resumed',
        "v_state IN ('paused', 'cancelled') THEN 'running'",
        "v_state IN ('paused', 'cancelled', 'done') THEN 'running'",
      ],
    ],
  },
  {
    of: 'quarantine_key',
    tests: ['said', 'raising', 'unfit', 'converge', 'long-keys', 'reasons'],
    mutants: [
      ['a reason shows the value', 'crossfade.without_values(p_sqlstate, p_message)', 'p_message'],
      ['a key in quarantine forgets its reset', 'deleted = q.deleted OR EXCLUDED.deleted', 'deleted = false'],
      ['a key in quarantine counts no tries', 'attempts = q.attempts + 1', 'attempts = q.attempts'],
    ],
  },
  {
    of: 'should_route_to_shadow',
    tests: ['said', 'routing', 'for-people'],
    mutants: [
      [
        'a promoted table is read on the old side',
        "WHEN c.stage IN ('completed', 'cleaned') THEN true",
        "WHEN c.stage IN ('cleaned') THEN true",
      ],
      ['writes are routed', "WHEN p_operation IN ('write', 'insert', 'update', 'delete', 'upsert') THEN false", ''],
      [
        'who is allowed is sent before anybody is',
        'WHEN c.read_ppm > 0 AND crossfade.is_listed',
        'WHEN crossfade.is_listed',
      ],
      ['the share has one key more', ' < floor(', ' <= floor('],
      [
        'reads without a key are sent',
        "WHEN p_key IS NULL OR p_key = '' THEN false",
        "WHEN p_key IS NULL OR p_key = '' THEN true",
      ],
    ],
  },
  {
    of: 'refuse_older_snapshot',
    tests: ['older-snapshot'],
    mutants: [
      ['an older snapshot writes', 'IF NOT pg_visible_in_snapshot(', 'IF false AND pg_visible_in_snapshot('],
      ['a newer snapshot is refused', 'IF NOT pg_visible_in_snapshot(', 'IF pg_visible_in_snapshot('],
    ],
  },
  {
    of: 'table_status',
    tests: ['said', 'invariants', 'capture.test', 'capture-unfailing', 'contract', 'switches', 'backfill.test'],
    mutants: [
      ['lag is that of the newest hint', 'count(*), min(o.at)', 'count(*), max(o.at)'],
      [
        'missed changes have no lag',
        ' UNION ALL SELECT at FROM crossfade.missed WHERE cutover = %L',
        ' UNION ALL SELECT at FROM crossfade.missed WHERE cutover = %L AND false',
      ],
      ['quarantine is empty', "'quarantined', (SELECT count(*) FROM", "'quarantined', (SELECT 0 * count(*) FROM"],
      ['a mirror that was never written is there', 'CASE WHEN v.version > 0 THEN', 'CASE WHEN true THEN'],
    ],
  },
  {
    of: 'waiting',
    tests: ['said', 'contract', 'invariants', 'switches'],
    mutants: [
      ['shadows are woken whose writes are off', ' AND c.shadow_writes ORDER', ' ORDER'],
      ['hints that are put off wake', 'WHERE not_before IS NULL OR not_before <= clock_timestamp()', 'WHERE true'],
    ],
  },
  {
    of: 'record_foreign_write',
    tests: ['said', 'verify', 'blind', 'for-people', 'contract', 'long-keys', 'sync-status'],
    mutants: [
      ['a foreign write is ours', 'session_user', 'current_user'],
      ['foreign writes are counted once', 'writes = f.writes + 1', 'writes = f.writes'],
    ],
  },
  {
    of: 'switch_inline',
    tests: ['said', 'inline', 'switches'],
    mutants: [['an older switch wins', 'c.inline_version <= p_version AND', 'true AND']],
  },
];
