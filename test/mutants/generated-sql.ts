// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are texts of the files that make the SQL
/**
 * Named mutants of the SQL that is generated for each cutover: what is found in the file that makes it, and what is put there. A change
 * fits one place, or it is an error: unit/house/mutants.test.ts tries all of them.
 */

import type { Replacement } from '../helpers/replace-once.ts';

export type NamedMutant = readonly [name: string, ...Replacement];

const CONVERGE: readonly NamedMutant[] = [
  ['claim waits for hints of others', 'LIMIT p_limit FOR UPDATE SKIP LOCKED\n', 'LIMIT p_limit FOR UPDATE\n'],
  ['claim locks nothing', 'LIMIT p_limit FOR UPDATE SKIP LOCKED\n', 'LIMIT p_limit\n'],
  ['claim in no order', 'ORDER BY seq LIMIT p_limit FOR UPDATE', 'LIMIT p_limit FOR UPDATE'],
  [
    'hints that are put off are claimed',
    'WHERE (not_before IS NULL OR not_before <= clock_timestamp()) AND seq >= v_from$',
    'WHERE seq >= v_from$',
  ],
  ['a key that lost its row is not reset', "bool_or(op = 'D') AS reset", 'false AS reset'],
  [
    'resets are in another order than keys',
    'array_agg(reset ORDER BY ${keys(flow, (k) => k)})',
    'array_agg(reset ORDER BY reset)',
  ],
  [
    'claim never begins at the floor',
    'EXIT WHEN v_from <= v_mark[${FLOOR}] OR cardinality(v_seqs) = p_limit;',
    'EXIT;',
  ],
  ['a batch of none is taken', 'NOT BETWEEN 1 AND 10000', 'NOT BETWEEN 0 AND 10000'],
  [
    'a missed change begins no sweep',
    "PERFORM crossfade.begin_sweep(${quoteText(id)}, 'changes left no hint",
    "PERFORM (${quoteText(id)}, 'changes left no hint",
  ],
  ['a missed change is missed for ever', 'DELETE FROM crossfade.missed m WHERE m.cutover = ${quoteText(id)};', ''],
  ['an unnamed change begins no sweep', 'IF v_unnamed THEN', 'IF false THEN'],
  ['hints are deleted though they are put off', ' AND NOT o.seq = ANY (v_kept);', ';'],
  ['keys are not locked', '    ${lockKeys(flow, unnested)}\n', ''],
  [
    'keys are locked in any order',
    'FROM ${unnested} ORDER BY 1 OFFSET 0',
    'FROM ${unnested} ORDER BY random() OFFSET 0',
  ],
  ['keys are locked under one number', 'b.bucket) FROM (\n', '0) FROM (\n'],
  [
    'a truncation is spread in one call',
    'IF ${spread}(v_left, p_limit) THEN v_kept := v_kept || v_left; END IF;',
    'PERFORM ${spread}(v_left, p_limit);',
  ],
  ['a truncation is not spread', 'IF ${spread}(v_left, p_limit) THEN', 'IF false THEN'],
  ['a reset is forgotten in quarantine', "' AND q.deleted')} ORDER BY k.place", "' AND false')} ORDER BY k.place"],
  ['what failed just now leaves quarantine', "const stays = 'NOT q.key = ANY (v_failed)';", "const stays = 'true';"],
  ['one key that fails fails its batch', 'IF i < j THEN\n          v_low', 'IF false THEN\n          v_low'],
  ['a key has one try', 'const ATTEMPTS = 5;', 'const ATTEMPTS = 1;'],
  ['a key has no end of tries', 'const ATTEMPTS = 5;', 'const ATTEMPTS = 500;'],
  ['a key goes on at once', 'const FIRST_PAUSE_MS = 250;', 'const FIRST_PAUSE_MS = 0.001;'],
  ['unique values are never exchanged', "IN ('23505', '23P01');`;", "IN ('00000');`;"],
  [
    'late is taken for wrong',
    'WHERE NOT d.differs OR NOT EXISTS (SELECT FROM ${outbox}',
    'WHERE true OR NOT EXISTS (SELECT FROM ${outbox}',
  ],
  [
    'strict compares one key in ten',
    "validation === 'relaxed' ? `AND random()",
    "validation === 'strict' ? `AND random()",
  ],
];

const APPLY: readonly NamedMutant[] = [
  ['rows that are there are deleted', 'WHERE ${gone} AND ${targetIs', 'WHERE ${targetIs'],
  ['rows that are gone stay', 'WHERE ${gone} AND ${targetIs', 'WHERE false AND ${targetIs'],
  ['rows that are gone are written', 'FROM src WHERE src.present$', 'FROM src WHERE true$'],
  ['a reset does nothing', 'IF true = ANY (p_reset) THEN', 'IF false THEN'],
  ['every row is reset', 'WHERE k.reset AND ${targetIs', 'WHERE ${targetIs'],
  ['a row that others refer to is exchanged', 'AND c.confrelid = ${flow.target.oid}', 'AND false'],
  ['an exchange keeps nothing', /FILTER \(WHERE NOT g\.reset\)/g, 'FILTER (WHERE false)'],
  [
    'an exchange that fails stays half done',
    "IF cardinality(v_bad) > 0 THEN RAISE EXCEPTION 'taken back' USING ERRCODE = 'CF011'; END IF;",
    '',
  ],
];

const NAMES: readonly NamedMutant[] = [
  ['an old epoch is let through', 'IF v_have IS DISTINCT FROM p_epoch THEN', 'IF v_have < p_epoch THEN'],
  ['every epoch is let through', 'IF v_have IS DISTINCT FROM p_epoch THEN', 'IF false THEN'],
  [
    'an applier holds no lock of the cutover',
    'PERFORM pg_advisory_xact_lock_shared(crossfade.lock_key(${quoteText(id)}));',
    '',
  ],
  ['a stopped cutover has an epoch', '(s.stopped OR s.database', '(s.database'],
  ['a copied database has an epoch', '(s.stopped OR s.database <> crossfade.database_oid())', '(s.stopped)'],
  ['any isolation will do', '  ${DEMAND_READ_COMMITTED}\n  -- Shared', '  -- Shared'],
  [
    'generated functions have the rights of the caller',
    'LANGUAGE plpgsql SECURITY DEFINER SET search_path',
    'LANGUAGE plpgsql SET search_path',
  ],
  ['generated functions have the settings of the caller', ' ${functionSettings()}`;', '`;'],
  ['a deadlock puts keys into quarantine', "  'transaction_rollback',\n", ''],
  ['a full disk puts keys into quarantine', "  'insufficient_resources',\n", ''],
  ['a lock that is not had puts keys into quarantine', "  'object_not_in_prerequisite_state',\n", ''],
];

const OUTBOX: readonly NamedMutant[] = [
  [
    'the outbox is truncated without another look',
    'IF NOT EXISTS (SELECT FROM ONLY ${table}) THEN\n        TRUNCATE',
    'IF true THEN\n        TRUNCATE',
  ],
  ['a truncation of the outbox waits', 'IN ACCESS EXCLUSIVE MODE NOWAIT', 'IN ACCESS EXCLUSIVE MODE'],
  ['the floor passes hints that are not committed', '> v_mark[${SEEN_ID}] THEN', '>= 0 THEN'],
  [
    'the floor stands above a hint',
    'coalesce(min(o.seq), v_mark[${SEEN_NUMBER}] + 1)',
    'coalesce(max(o.seq), v_mark[${SEEN_NUMBER}]) + 1',
  ],
  ['marks of another outbox are used', 'v_mark[${TABLE}] <> ${table} OR ', ''],
  ['a sequence that was set back is not noticed', ' OR v_mark[${NEWEST}] > v_from THEN', ' THEN'],
  [
    'the next call passes a hint',
    'coalesce(v_seqs[cardinality(v_seqs)] + 1, ',
    'coalesce(v_seqs[cardinality(v_seqs)] + 2, ',
  ],
];

const CAPTURE: readonly NamedMutant[] = [
  ['a changed key leaves one hint', '        v_moved := true;\n', ''],
  [
    'an equal key of another image leaves one hint',
    "IF ${image(named('NEW'))} *<> ${image(named('OLD'))} THEN",
    "IF ${image(named('NEW'))} <> ${image(named('OLD'))} THEN",
  ],
  ['a deleted row is a changed one', "      v_op := 'D';\n      ${byName", '      ${byName'],
  [
    'deletes are not captured',
    'AFTER INSERT OR UPDATE OR DELETE ON ${table} FOR EACH ROW EXECUTE FUNCTION ${capture}',
    'AFTER INSERT OR UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION ${capture}',
  ],
  ['rows of a replication are not captured', '`ALTER TABLE ${table} ENABLE ALWAYS TRIGGER crossfade_capture`,', ''],
  [
    'truncations of a replication are not captured',
    '`ALTER TABLE ${table} ENABLE ALWAYS TRIGGER crossfade_truncated`,',
    '',
  ],
  ['a truncation leaves no hint', "INSERT INTO ${outbox} (op) VALUES ('T');", 'NULL;'],
  [
    'capture has the rights of the application',
    'LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $crossfade$\n#variable',
    'LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $crossfade$\n#variable',
  ],
  [
    'capture has the path of the application',
    'SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $crossfade$\n#variable',
    'SECURITY DEFINER AS $crossfade$\n#variable',
  ],
  [
    'capture looks into the temporary schema first',
    'SET search_path = pg_catalog, pg_temp AS $crossfade$\n#variable',
    'SET search_path = pg_catalog AS $crossfade$\n#variable',
  ],
  [
    'a missed change is not written down',
    'INSERT INTO crossfade.missed (cutover, why) VALUES (${quoteText(flow.id)}, SQLERRM)`',
    'NULL`',
  ],
  [
    'what could not be recorded is not counted',
    'PERFORM nextval(c.oid::regclass) FROM pg_class c',
    'PERFORM c.oid::regclass FROM pg_class c',
  ],
  ['a mark that was taken back stays left', 'IS DISTINCT FROM pg_current_xact_id()::text THEN', 'IS NULL THEN'],
];

const BACKFILL: readonly NamedMutant[] = [
  ['two runners copy the same chunk', 'FOR UPDATE SKIP LOCKED;', ';'],
  ['a paused copy goes on', "IF v_row.state IN ('paused', 'cancelled') THEN", "IF v_row.state IN ('cancelled') THEN"],
  ['a cancelled copy goes on', "IF v_row.state IN ('paused', 'cancelled') THEN", "IF v_row.state IN ('paused') THEN"],
  [
    'the ghosts of a chunk stay',
    'IF v_row.copied_key IS NOT NULL THEN\n    ${sortsAlike',
    'IF false THEN\n    ${sortsAlike',
  ],
  [
    'ghosts from before stay',
    "sortsAlike(flow) ? 'v_row.shadow_had_rows' : 'true'",
    "sortsAlike(flow) ? 'false' : 'true'",
  ],
  [
    'ghosts stay where keys sort differently',
    "sortsAlike(flow) ? 'v_row.shadow_had_rows' : 'true'",
    "sortsAlike(flow) ? 'v_row.shadow_had_rows' : 'false'",
  ],
  ['rows of a shadow from before are not compared', 'IF v_row.shadow_had_rows THEN', 'IF false THEN'],
  [
    'the copy overwrites',
    'ON CONFLICT (${arbiter}) DO NOTHING;',
    'ON CONFLICT (${arbiter}) DO UPDATE SET ${mapping.written.map(({ target }) => `${quoteName(target)} = EXCLUDED.${quoteName(target)}`).join()};',
  ],
  [
    'a chunk begins with the last row of the one before',
    "'>', bound(flow, side, variable)",
    "'>=', bound(flow, side, variable)",
  ],
  ['a chunk ends before its last row', "'<=', bound(flow, side, variable)", "'<', bound(flow, side, variable)"],
  [
    'the copy ends at its first key',
    '(_, i) => `p.${quoteName(mapping.key[i]!.source.name)} DESC`',
    '(_, i) => `p.${quoteName(mapping.key[i]!.source.name)}`',
  ],
  [
    'rows that do not fit leave no hint',
    'SELECT ${sourceKey} FROM ${sourceTable(flow)} AS p WHERE ${from(',
    'SELECT ${sourceKey} FROM ${sourceTable(flow)} AS p WHERE false AND ${from(',
  ],
  ['snapshots from before are forgotten', 'elders = crossfade.open_transactions()', "elders = '{}'"],
  ['chunks are planned once', ' SET plan_cache_mode = force_custom_plan', ''],
  ['a copy waits for an open inline write', "PERFORM set_config('lock_timeout', '${INLINE_PATIENCE}', true);", ''],
];

const VERIFY: readonly NamedMutant[] = [
  ['a copy that is not done is verified', "AND b.state <> 'done') THEN", 'AND false) THEN'],
  ['two callers are in one pass', 'FOR UPDATE SKIP LOCKED;', ';'],
  ['a proof goes on with a fast pass', "OR (p_tier = 'proof' AND v_pass.tier = 'fast')", ''],
  ['a full pass goes on with one of what is due', "\n    OR (p_scope = 'full' AND v_pass.scope = 'due') THEN", ' THEN'],
  ['a pass of another epoch goes on', 'OR v_pass.epoch <> p_epoch ', ''],
  ['what was written since is not due', 'AND NOT EXISTS (SELECT FROM ${touched} m WHERE m.place = g.place)', ''],
  ['nothing is looked at in rotation', 'ORDER BY r.verified_at LIMIT ${ROTATION}', 'ORDER BY r.verified_at LIMIT 0'],
  ['marks are deleted after the look', '    DELETE FROM ${touched} m WHERE m.place = v_place;\n', ''],
  [
    'ranges need not follow each other',
    'IF (SELECT bool_or(r.gap) OR count(*) FILTER (WHERE r.h1 IS NULL) <> 1',
    'IF (SELECT false AND bool_or(r.gap)',
  ],
  ['rows that were not compared are not missed', 'v_rows < v_pass.counted_rows THEN', 'false THEN'],
  ['a sweep is over with a divergence', ' AND v_divergences = 0;', ';'],
  [
    'a pass over some is as new as one over all',
    "CASE v_pass.scope WHEN 'full' THEN EXCLUDED.at_ms ELSE v.at_ms END",
    'EXCLUDED.at_ms',
  ],
  ['nothing is repaired', 'FROM ${segment} g WHERE g.divergences > 0 LOOP', 'FROM ${segment} g WHERE false LOOP'],
];

const SEGMENTS: readonly NamedMutant[] = [
  ['a range begins with the last key of the one before', "'>', bound('l')", "'>=', bound('l')"],
  ['a range ends before its last key', "'<=', bound('h')", "'<', bound('h')"],
  ['our own writes are foreign', "'crossfade.writing', 'on', true", "'crossfade.writing', 'off', true"],
  [
    'foreign deletes are not seen',
    'AFTER INSERT OR UPDATE OR DELETE ON ${table} FOR EACH ROW WHEN',
    'AFTER INSERT OR UPDATE ON ${table} FOR EACH ROW WHEN',
  ],
  [
    'a foreign write makes nothing due',
    'INSERT INTO ${touched} (place) SELECT NULL WHERE NOT EXISTS (SELECT FROM ${touched} m WHERE m.place IS NULL);',
    '',
  ],
  ['deferred constraints are checked at the end', "'SET CONSTRAINTS ALL IMMEDIATE;'", "''"],
  ['what was applied is not due', 'IF EXISTS (SELECT FROM ${segment}) THEN', 'IF false THEN'],
];

const SESSION: readonly NamedMutant[] = [
  [
    'a policy hides rows',
    "row_security: { ...off('a policy would hide rows without a word; now it is an error'), inFunctions: true },",
    '',
  ],
  ['floats are rounded', "extra_float_digits: { value: '1'", "extra_float_digits: { value: '0'"],
  ['an answer is given before it is on disk', "synchronous_commit: on('", "synchronous_commit: off('"],
  ['a transaction has one snapshot', 'ISOLATION LEVEL READ COMMITTED, READ', 'ISOLATION LEVEL REPEATABLE READ, READ'],
  ['times mean what the caller says', "  'timezone',\n", ''],
  ['dates mean what the caller says', "  'datestyle',\n", ''],
  ['money means what the caller says', "  'lc_monetary',\n", ''],
  ['= NULL means what the caller says', "transform_null_equals: { ...off('= NULL is NULL'), inFunctions: true },", ''],
  ['a replica role is taken', "<> 'origin'", "<> 'replica' AND false"],
  ['the temporary schema is looked into first', "OWN_PATH = 'pg_catalog, pg_temp'", "OWN_PATH = 'pg_catalog'"],
  [
    'functions of others stand for the catalog',
    "OWN_PATH = 'pg_catalog, pg_temp'",
    "OWN_PATH = 'public, pg_catalog, pg_temp'",
  ],
];

/** By the file that makes the SQL, with the tests that are asked: of integration/postgres, by the beginnings of their names. */
export const GENERATED_SQL: readonly { file: string; tests: readonly string[]; mutants: readonly NamedMutant[] }[] = [
  {
    file: 'converge',
    tests: [
      'said',
      'converge',
      'reordered',
      'equal-not-identical',
      'invariants',
      'raising',
      'same-key',
      'unfit',
      'validator',
      'capture-unfailing',
    ],
    mutants: CONVERGE,
  },
  {
    file: 'apply',
    tests: ['said', 'converge', 'invariants', 'same-key', 'unfit', 'equal-not-identical', 'partitioned-shadow'],
    mutants: APPLY,
  },
  {
    file: 'names',
    tests: [
      'isolation',
      'invariants',
      'raising',
      'blind',
      'recycled-database',
      'settings',
      'promotion-roles',
      'shape-watch',
    ],
    mutants: NAMES,
  },
  { file: 'outbox', tests: ['said', 'outbox', 'burst', 'invariants'], mutants: OUTBOX },
  {
    file: 'capture',
    tests: ['said', 'capture', 'keys', 'invariants', 'equal-not-identical', 'schema'],
    mutants: CAPTURE,
  },
  {
    file: 'backfill',
    tests: ['said', 'backfill', 'keys', 'inline-copy', 'invariants', 'in-the-way'],
    mutants: BACKFILL,
  },
  { file: 'verify', tests: ['said', 'verify', 'blind', 'shape-watch', 'what-waits'], mutants: VERIFY },
  { file: 'segments', tests: ['said', 'verify', 'deferred', 'blind', 'validator'], mutants: SEGMENTS },
  { file: 'session', tests: ['settings', 'isolation', 'connection', 'shape-watch', 'round-trip'], mutants: SESSION },
];
