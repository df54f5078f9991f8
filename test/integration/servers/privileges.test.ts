/**
 * Who may do what with each object of ours, before and after a promotion, asked of the catalog. Each object has a decision here: one that is
 * new fails the test until somebody has decided who may use it, and with whose rights it runs.
 */

import type postgres from 'postgres';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { TableCutover } from '../../../lib/ports/tables.ts';
import { type ServedDatabase, servedDatabase } from '../../helpers/postgres.ts';
import { type TestPlane, testPlane } from '../../helpers/postgres-tables.ts';

const words = (text: string) => text.trim().split(/\s+/);

/** Functions by who may call them. `*`: with the rights of the owner. `_ID`: one for each cutover. */
const FUNCTIONS: Readonly<Record<string, readonly string[]>> = {
  crossfade_runtime: words(`
  backfill_ID* begin_batch* begin_range* control_backfill* converge_ID* discard_quarantined* end_batch* end_chunk* end_range* end_read_only* is_listed known_cutover*
  lock_key mirror* multiply_32 murmur3_32 not_verified* pre_migration_health_check* pressure* quarantined*
  record_hash repair_ID* retry_ID* segments* set_lists* shape_status* should_route_to_shadow* statuses*
  switch_inline* sync_status* table_looks table_status* turn_ID* unfinished_backfills*
  validate_record_hash* validate_table_consistency* verify_ID* waiting*`),
  // Triggers are among them: they run without this right, and nobody can call them.
  nobody: words(`
  abandon accept_batch* advance_sequence apply_ID* attached begin_hand_over begin_sweep* capture_ID* capture_gap capture_now captures_now catalog_fingerprint
  catalog_stamp check_dependents* check_foreign* check_roles* check_server* check_shape* check_size*
  close_table column_by_number columns_stamp columns_stamps columns_used compared_again computed_ID* consistency_ID*
  creators database_oid ddl_rehearsal demand_newer_snapshots dependents drain drop_companion_triggers drop_partition_triggers
  drop_read_only end_newer_snapshots exchange_ID* finding fit_sequence fits_ID* follow_partitions foreign_key
  functions_of give_key_back give_privileges grant_runtime grants guard_ID* hand_over hold_batch* hold_shape holder_shown
  holding_transactions index_given_back inline_ID* is_ours is_trusted key_hash key_now key_text keys_aside
  keys_to_give_back keys_to_set_aside lock_holders make_capture_again misfit name_list names_lost never_filled
  next_index note_used open_transactions* operator_schemas other_cutovers partition_gap partition_stamps
  partitions_of pass_number put_off_hand_over quarantine_key* read_only_guard* record_ID* record_foreign_write*
  record_inline_failure* record_shape refuse_change refuse_changed_shape refuse_older refuse_older_snapshot
  refuse_rounding refuse_shared refuse_writes rehearse_copy resolved rules session_shown set_indexes_aside set_key_aside
  set_read_only shape_adopted shape_differences shape_now shape_obstacle shapes_now spread_ID* stay_closed swap
  sweep_reason table_dependents table_facts table_named table_shape table_shapes take_over take_staged takes_hints
  triggers truncated_ID* views watch_shape way_back with_partitions without_values written_code`),
};
/** Tables, views and sequences of schema `crossfade` by who may read them. But for the owner, nobody may do anything else with them. */
const RELATIONS: Readonly<Record<string, readonly string[]>> = {
  crossfade_runtime: words(`
  backfill cutover foreign_write index_aside inline_failure key_aside migration missed progress
  quarantine shape status verification verification_pass`),
  nobody: words(`
  accepted_batch batch remote_pass number_ID outbox1_ID outbox_ID segment_ID segment_ID~place touched_ID unrecorded used`),
};
/** What the application was given on its table, and has wherever the table goes. */
const APPLICATIONS = 'INSERT SELECT';
const TABLES = {
  before: { fee: APPLICATIONS, fee_v2: '' },
  // The view under the name of the shadow reads what the new fee has.
  after: { fee: APPLICATIONS, fee_old: APPLICATIONS, fee_v2: APPLICATIONS },
};

const FEE: TableCutover = {
  id: 'fee',
  validation: 'strict',
  table: { primary: 'public.fee', shadow: 'public.fee_v2', mode: 'inline', columns: { shout: { sql: 'upper(v)' } } },
};

type Sql = postgres.Sql | postgres.TransactionSql;
const ROLES = "unnest(ARRAY['public', 'application', 'crossfade_runtime'])";

const functions = (sql: Sql) =>
  sql.unsafe<
    { name: string; who: string | null }[]
  >(`SELECT regexp_replace(p.proname, '_fee$', '_ID') || CASE WHEN p.prosecdef THEN '*' ELSE '' END AS name,
    (SELECT string_agg(r, ' ') FROM ${ROLES} r WHERE has_function_privilege(r, p.oid, 'EXECUTE')) AS who
  FROM pg_proc p WHERE p.pronamespace = 'crossfade'::regnamespace`);

/** Of a sequence, SELECT stands for whatever can be had of it. */
const relations = (sql: Sql, schema: string) =>
  sql.unsafe<{ name: string; who: string | null }[]>(`SELECT regexp_replace(c.relname, '_fee(?=~|$)', '_ID') AS name,
    (SELECT string_agg(r || ' ' || w, ' ' ORDER BY r, w) FROM ${ROLES} r, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) w
      WHERE CASE WHEN c.relkind <> 'S' THEN has_table_privilege(r, c.oid, w) WHEN w = 'SELECT' THEN has_sequence_privilege(r, c.oid, 'SELECT, UPDATE, USAGE') END) AS who
  FROM pg_class c WHERE c.relnamespace = '${schema}'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')`);

/** What is not as it was decided: a name without a decision, or who may against who was to. */
function undecided(
  found: readonly { name: string; who: string | null }[],
  decided: Readonly<Record<string, readonly string[]>>,
  right = '',
): string[] {
  return found.flatMap(({ name, who }) => {
    const role = Object.keys(decided).find((one) => decided[one]!.includes(name));
    if (role === undefined) return [`${name} has no decision; ${who ?? 'nobody'} may`];
    const wanted = role === 'nobody' ? null : `${role}${right}`;
    return who === wanted ? [] : [`${name} is for ${wanted ?? 'nobody'}; ${who ?? 'nobody'} may`];
  });
}

const all = async (sql: Sql) => [
  ...undecided(await functions(sql), FUNCTIONS),
  ...undecided(await relations(sql, 'crossfade'), RELATIONS, ' SELECT'),
];

describe.skipIf(inject('servers') === null)('objects of ours', () => {
  let db: ServedDatabase;
  let plane: TestPlane;
  beforeAll(async () => {
    db = await servedDatabase('embedded', 'direct');
    plane = testPlane(db);
    await db.owner.unsafe(`CREATE TABLE fee (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text);
      CREATE TABLE fee_v2 (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text, shout text); GRANT SELECT, INSERT ON fee TO application`);
    await plane.start(FEE);
    await plane.copy('fee', 1);
  });
  afterAll(async () => {
    await plane.close();
    await db.drop();
  });

  const ofTables = async () =>
    Object.fromEntries(
      (await relations(db.sql, 'public'))
        .filter(({ name }) => !name.endsWith('_seq'))
        .map(({ name, who }) => [name.replace(/_ID$/, '_fee'), (who ?? '').replaceAll('application ', '')]),
    );

  it.each([
    ['ALTER FUNCTION crossfade.swap SECURITY DEFINER', /^swap\* has no decision/],
    ['CREATE FUNCTION crossfade.later() RETURNS integer LANGUAGE sql RETURN 1', /^later has no decision; public/],
    [
      'GRANT EXECUTE ON FUNCTION crossfade.converge_fee TO application',
      /^converge_ID\* is for crossfade_runtime; application/,
    ],
    ['GRANT INSERT ON crossfade.cutover TO crossfade_runtime', /^cutover is for crossfade_runtime SELECT; .*INSERT/],
    ['GRANT USAGE ON SEQUENCE crossfade.number_fee TO application', /^number_ID is for nobody; application/],
    ['CREATE TABLE crossfade.later (id integer)', /^later has no decision; nobody/],
  ])('are not as decided after: %s (negative control)', async (statement, said) => {
    const seen = await db.sql
      .begin(async (tx) => {
        await tx.unsafe(statement);
        throw await all(tx);
      })
      .catch((found) => found);
    expect(seen).toHaveLength(1);
    expect(seen[0]).toMatch(said);
  });

  it('are for those alone for whom they were decided, before a promotion and after it', async () => {
    expect(await all(db.sql)).toEqual([]);
    expect(await ofTables()).toEqual(TABLES.before);
    const request = { fromEpoch: 1, toEpoch: 2, stage: 'completed', version: 2 };
    expect(await plane.promote(FEE, request)).toMatchObject({ kind: 'swapped' });
    expect(await all(db.sql)).toEqual([]);
    expect(await ofTables()).toEqual(TABLES.after);
  });

  it('give nobody a way to the rights of the owner: no schema to create in, no role to become', async () => {
    const [row] = await db.sql.unsafe(`SELECT bool_or(has_schema_privilege(r, n, 'CREATE')) AS creates,
        bool_or(r <> 'public' AND (pg_has_role(r, 'app_owner', 'MEMBER') OR pg_has_role('app_owner', r, 'MEMBER'))) AS becomes,
        bool_or(r <> 'crossfade_runtime' AND has_schema_privilege(r, 'crossfade', 'USAGE')) AS enters
      FROM ${ROLES} r, unnest(ARRAY['crossfade', 'public']) n`);
    expect(row).toEqual({ creates: false, becomes: false, enters: false });
  });
});
