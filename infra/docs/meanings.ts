/**
 * What generated tables say in words and no schema knows: meanings of keys and codes, defaults that are no constants, and what
 * the heads of released migrations leave out. A key or code without a sentence fails the build of the pages.
 */

import type { ErrorCode } from '../../lib/core/base/errors.ts';

/** What a migration says at its head. */
export type Head = { why: string; lock: string; duration: string; undo: string };

export const ERROR_MEANINGS: Readonly<Record<ErrorCode, string>> = {
  invalid_input: 'a value is missing or impossible; the message names it with its path',
  invalid_json: 'the body is not JSON',
  invalid_identifier: 'a name or id has a form that is not taken',
  invalid_config: 'the configuration or environment cannot be used; every problem is named at once',
  invalid_plan: 'a plan cannot be; every problem is named at once',
  unknown_property: 'a field is unknown; the nearest known one is named',
  confirm_required: 'the name must be typed again in `confirm`',
  unauthenticated: 'there is no valid token',
  forbidden: 'the token has not the scope that the route needs',
  self_approval: 'the two-person rule: somebody else must approve',
  not_found: 'there is no such route, cutover, phase, alert or experiment; the nearest name is given',
  method_not_allowed: 'the path exists and takes other methods',
  conflict: 'a promotion or its way back is being carried out, or the other writer was first: look, then try again',
  illegal_transition: 'the stage does not take this command; the message says which it takes',
  held: 'the gates do not let it go on; `crossfade explain CUTOVER` says why',
  stopped: 'the emergency stop is on; `crossfade reset system` lifts it',
  frozen: 'a freeze window is open; the message has its end',
  rollback_not_ready: 'rows cannot go back yet; the message names them',
  stale_version: 'the state has moved on since `If-Match`: look, then try again',
  too_large: 'the body, batch or answer is larger than what is taken',
  unsupported_media_type: 'the body must be `application/json`',
  idempotency_mismatch: 'the same key was used before with another body or by another caller',
  precondition_required: '`If-Match` or `Idempotency-Key` is missing',
  refused_table: 'the tables or their declaration stand against it; `crossfade preview CUTOVER` says everything',
  stale_epoch: 'the direction of writing has changed since: ask again',
  state_invalid: 'a stored item cannot be read; see [its runbook](../infra/runbooks/state-invalid.md)',
  flags_too_large: 'all flags together are more than 1 MB',
  flags_invalid: 'the flag document cannot be used; the last good one stays',
  invalid_event: 'an event of a schedule or stream cannot be read',
  rate_limited: 'too many requests; `Retry-After` says when',
  loop_detected: 'the request has been at this gateway before',
  copy_pending: 'an earlier write of the resource is still under way: try again',
  copy_not_recorded: 'the write could not be recorded, so nothing was written: make it again with the same id',
  upstream_refused: 'the address is none that may be called',
  upstream_unavailable: 'the other program does not answer',
  upstream_timeout: 'the other program did not answer in time',
  store_unavailable: 'DynamoDB does not answer: try again',
  flags_unavailable: 'flags could not be read',
  database_unavailable: 'Postgres does not answer: try again',
  access_denied: 'a role lacks a right; the message names it',
  schema_changed: 'the schema `crossfade` has other migrations than this version',
  internal: 'a fault of Crossfade; the log has it',
};

/** What is filled in where nothing is declared, if that is no constant of a policy. */
export const KEY_DEFAULTS: Readonly<Record<string, string>> = {
  plan: '`gradual`',
  dwellMinutes: '60',
  salt: 'the cohort, else the id',
  validation: '`strict`',
  allow: '`[]`',
  deny: '`[]`',
  alerts: '`[]`',
  criteria: '`[]`',
  experiments: '`[]`',
  freeze: '`[]`',
  columns: '`{}`',
  reverse: '`{}`',
  key: 'the primary key',
  mode: '`streamed`',
  columnOrder: 'refused where it would be silent',
  companions: '`{}`',
  indexesAfterCopy: '`false`',
  rollbackOnShadowFailure: '`false`',
  redact: '`[]`',
  requireRehearsal: '`false`',
  'backfill.outboxAgeMs': '10,000',
  'writes.privateHosts': '`[]`',
};

export const KEY_MEANINGS: Readonly<Record<string, string>> = {
  id: "lower_snake_case; also the flag's name and `CROSSFADE_<ID>`, the override",
  kind: 'what moves: a table, a code path, an HTTP service',
  plan: "a built-in name, or `{ name, ramp: [['first_5', 5], …, ['full_100', 100]] }`",
  dwellMinutes: 'shortest stay in a stage: a number, or one per stage name',
  'policy.errorRateRollback': 'errors of the shadow beyond those of the primary at which it rolls back, 0–1',
  'policy.errorRateAdvance': 'errors of the shadow beyond those of the primary below which a stage may advance, 0–1',
  'policy.latencyIncreaseRollback': 'increase at p50 and p95 at which it rolls back: 0.2 is 20 %',
  'policy.latencyIncreaseAdvance': 'increase at p50 and p95 below which a stage may advance',
  'policy.latencyFloorMs': 'smaller differences do not matter',
  'policy.validationScoreRollback': 'share of rows or answers that agree, below which it rolls back',
  'policy.validationScoreAdvance': 'share of rows or answers that agree, from which a stage may advance',
  'policy.consecutiveFailures': 'fewest bad minutes before evidence rolls back',
  'policy.warmUpMinutes':
    'minutes at the beginning of a stage in which caches may be cold: latencies roll back only beyond +75 %, and prove nothing good',
  'policy.minSamples': 'shadow operations that a stage needs at least; from 10 % on also 3 / `errorRateAdvance`',
  'policy.lagAdvanceMs': 'highest age of the oldest un-applied change at which a stage may advance',
  'policy.keylessAdvance': 'highest share of reads without a routing key at which a stage may advance',
  'policy.holdBackPercent':
    'share of the keys, in per cent, that stays on the primary until completion, in the full stage, too: what the shadow is compared with. Of the whole plan; a cutover has what it was started with',
  'policy.autoAdvance': 'stages advance by themselves',
  'policy.autoRollback': 'guards roll back by themselves',
  'policy.approvalRequired': 'each stage waits for `crossfade approve`',
  'policy.twoPersonApproval':
    'the approval must come from somebody who neither started it nor asked for its last change; force needs it, too. Cannot be changed at run time',
  'policy.deadlineMinutes':
    'longest stay in `dual_write` and each ramp stage; past it only a person goes on, or it rolls back. It never advances',
  'policy.onDeadline': 'what happens at the deadline',
  'policy.p95LimitMs': 'absolute p95 of the shadow that rolls back, unless the primary is as bad',
  'policy.availabilityMin':
    'share of operations that succeed below which the shadow rolls back, unless the primary is as bad',
  'policy.connectionDropsMax':
    'share of operations that lose their connection above which the shadow rolls back, unless the primary is as bad: failures of `runCutover`, `write`, the gateway, or a `record` that was given its `error`, with ECONNRESET, ECONNREFUSED, EPIPE, socket hang up, SQLSTATE 08… or 57P01 to 57P03',
  'policy.memoryMax':
    "share of its memory that a process serving the shadow may use, as the SDK reports it (Lambda's limit, or the container's); beyond it for `consecutiveFailures` minutes it rolls back, whatever the primary uses: both sides may share the process. Not for services",
  stages: 'by stage name: any key of `policy` for one stage, and its `dwellMinutes`',
  freeze: 'windows in which nothing starts, advances, completes or is cleaned up; see below',
  cohort: 'cutovers of one cohort share its name as salt, advance when every member may, and roll back together',
  salt: 'cutovers with one salt move the same keys together',
  validation: '`strict` reads again and compares what was written, `relaxed` samples, `disabled` does not',
  allow: 'keys, `group:NAME`, `environment:NAME` whose reads go to the shadow before their share does',
  deny: 'keys, groups and environments, written as in `allow`, whose reads never go to the shadow',
  alerts: 'changes of the built-in alert rules, and rules of its own; see [Alerts](#alerts)',
  criteria: 'evidence of your own: alarms, invariants in SQL, HTTP checks, metrics; see [Criteria](#criteria)',
  experiments: 'A/B experiments on the two sides; see [Experiments](#experiments)',
  primary: '`schema.name` of the table in use, as the catalog spells it',
  shadow:
    "`schema.name` of the new table; in another database `{ connection: 'new', table: 'public.orders' }`, with the address of `new` in CROSSFADE_CONNECTIONS. See [A shadow in another database](../adapters/postgres/remote/README.md)",
  key: 'columns that name a row, where a unique index over NOT NULL columns makes them one',
  columns:
    "by column of the shadow: `{ from: 'old_name' }`, `{ sql: '…' }` computed from the old row, `{ added: true }`. Columns of the same name need no entry. After promotion a trigger goes on computing `{ sql }` for statements that do not write the column: on INSERT where it is NULL or the default, on UPDATE where what it is computed from has changed. It never fails a statement: what it cannot compute stays as written, counted in `status`, with keys in `crossfade.inline_failure`. `cleanup` drops the trigger, and from then on the column is the application's. `after: 'application'` says that it is so from promotion on. Where the new shape has not what the expression reads, `preview` and `start` demand that, unless `reverse` is made from the column, or the old table has a column of that name, too, which statements write already. A generated column of the shadow is compared, and needs none of it",
  reverse:
    'by column of the primary: the way back where it cannot be derived, `{ sql }` over the new row, or `{ insertOnly: sql }`',
  mode: "`inline`: the application's own transaction writes the shadow, too. What cannot be done at once (a key that an applier has, a row of the shadow that is locked for 100 ms, REPEATABLE READ and SERIALIZABLE, TRUNCATE, writes switched off) leaves a hint as in streamed mode. After promotion the old table follows streamed. Takes effect at the next start",
  companions:
    'for a new key: by referring table, by the column of its foreign key, the column beside it that is to reference the primary key of the shadow. It is filled, each of the two columns follows from the other until cleanup, and promotion makes the foreign key again on it',
  columnOrder:
    'columns of the shadow in another order: `INSERT INTO t VALUES (…)`, `COPY t FROM` and `SELECT *` change their meaning at promotion. An order in which a whole row is stored in the wrong columns without an error is refused; `refuse` refuses any other order, `notice` only says so',
  indexesAfterCopy:
    'indexes of the shadow that are not unique are taken off when the copy begins and built again after it, CONCURRENTLY; until then the copy counts as running, so nothing reads without them. `SELECT * FROM crossfade.index_aside` shows them',
  rollbackOnShadowFailure:
    "inline only: a row that the shadow does not take fails the application's write with the SQLSTATE of the shadow; otherwise the write goes on, leaves a hint, and is counted in `status` and `crossfade.inline_failure`",
  redact:
    'columns of either table whose values are never shown: `inspect --values` and the page write `redacted` in their place, for those who have the scope `rows:read`, too. A column that is copied under another name is redacted under both, and with any in the list everything that is computed is. The key of a row is shown everywhere',
  requireRehearsal:
    'a start wants the report of a rehearsal that passed, of this declaration and these tables: `crossfade rehearse ID …`, then `crossfade start ID --rehearsal FILE`. `signedBy` lists thumbprints of the keys that may have signed it, as `crossfade rehearse` prints them, any by default; `hours` is how old it may be, 168 by default; `true` means both defaults',
  'backfill.outboxAgeMs': 'the copy of existing rows waits while the oldest change is older',
  'backfill.replicaLagMs': 'the copy waits while a replica is further behind',
  'backfill.walBytesPerSecond': 'the copy waits above this rate of WAL',
  'backfill.activeConnections': 'the copy waits above this number',
  'backfill.whileSql':
    'a boolean SQL expression of yours: the copy goes on while it is true; what is not of pg_catalog is named with its schema',
  'writes.primary':
    'where the old side of a component takes forwarded writes; https, or http where `privateHosts` names the host or it is this machine. Without `writes` there is no `client.write`',
  'writes.shadow': 'where the new side takes them, by the same rules',
  'writes.privateHosts':
    'hosts that may lead to private addresses, spelled as in the address; metadata addresses never',
  'upstreams.primary':
    'base address of the old service; https, or http where `gateway.privateHosts` names the host or it is this machine',
  'upstreams.shadow': 'base address of the new service, by the same rules',
  'gateway.correlationHeaders':
    'headers that may carry the id by which the side is picked. Where none is there an id is made and returned; the read stays on the primary and counts as keyless, since nothing says whose it is',
  'gateway.groupsHeader':
    "the header with the caller's groups, separated by commas, for `allow` and `deny`. Name a header that your own edge sets and takes away from callers",
  'gateway.environment': 'the environment, for `allow` and `deny`',
  'gateway.privateHosts':
    'hosts that may lead to private addresses, spelled as in `upstreams`; metadata addresses never',
  'gateway.authorization':
    "with `upstream` the caller's `Authorization` reaches the service, and Crossfade's token is taken from `X-Crossfade-Authorization` alone: [how to deploy it](../../functions/README.md#services-that-authenticate-their-users)",
  'gateway.cors':
    "browsers of other origins: none; `'upstream'`, preflights reach the service, without a token and without anything else; or `{ origins: ['https://app.example'], methods, headers, exposed, credentials, maxAgeSeconds }`, answered by the gateway",
  'gateway.headers':
    'what of ours answers carry: `all`, the side and the reason, too; the `correlation` id alone; or `none`',
  'gateway.encodedSlashes':
    '`%2F` and `%5C` may stand in a path; never as a way out of the base. An HTTP API of API Gateway decodes them before: use a REST API, a load balancer or a Function URL',
  'gateway.timeoutMs': 'per upstream call',
  'gateway.fallback': 'reads that the shadow fails are answered by the primary until completion',
  'gateway.requestsPerSecond': 'per caller and instance',
  'gateway.idempotencyKeys':
    'true when both upstreams answer a repeated `Idempotency-Key` like the first time: then everything may be repeated',
  'gateway.orderSegments':
    'path segments that name a resource (`users/7`): its writes are forwarded in order; 0 for one order of all',
  'gateway.compare.sampleRate': 'share of the reads that both upstreams are asked, and compared',
  'gateway.compare.ignore': 'what may differ, as in [`runCutover`](../client/README.md#a-code-path-runcutover)',
  'gateway.compare.timeoutMs': 'how long the other upstream may take for a compared read',
};

/** By file: what its head does not say. */
export const MIGRATION_HEADS: Readonly<Record<string, Partial<Head>>> = {
  '0005_keys_aside.sql': {
    undo: 'first give every key back (SELECT crossfade.give_key_back(cutover, name) FROM crossfade.key_aside), so that the table is empty; then crossfade.swap as in 0002; DROP FUNCTION crossfade.keys_to_set_aside, crossfade.set_key_aside, crossfade.keys_to_give_back, crossfade.give_key_back, crossfade.name_list, crossfade.key_now, crossfade.keys_aside; DROP TABLE crossfade.key_aside',
  },
  '0006_routing_lists.sql': {
    why: 'routing in SQL knows the allow and deny lists, groups and environments, so that it answers like the SDK',
    lock: 'a short ACCESS EXCLUSIVE on crossfade.cutover for two columns with constant defaults; none on tables of the application',
    duration: 'milliseconds',
    undo: 'crossfade.should_route_to_shadow as in 0001 (its signature is another one); DROP FUNCTION crossfade.set_lists, crossfade.is_listed; ALTER TABLE crossfade.cutover DROP COLUMN allow, DROP COLUMN deny',
  },
};

/** By command: what its help has no room for. */
export const COMMAND_NOTES: Readonly<Record<string, string>> = {
  init: 'The ALTER is tried on a copy in a transaction that is rolled back, and the DDL is read back from the catalog. It writes `crossfade-<id>.sql`, and `crossfade.config.ts` where there is no configuration; it writes over nothing. Ends with 3 where something has to be decided before the cutover can start.',
  dev: 'The whole of Crossfade on this machine, against your database and cutovers: [moving your own table](../define/README.md#moving-your-own-table). What it knows is kept in `.crossfade/dev/` of the directory in which it is started, one directory a database: after Ctrl-C or a kill the next one goes on. `--fresh` forgets it.',
  rehearse:
    'Copies the database and takes the cutover through its whole life there, with short stages and a load made of its own rows: health and preview, start, copy, a fault (half of the reads of the new table throw until the guards have taken them back), ramps, completion, rollback, ramps and completion again, cleanup. The copy is a template copy on the same server, with the settings and privileges of the database and its roles; it needs a moment without a connection to the database, and a role that has CREATEDB and owns it. `--on FILE` makes the copy from a file of pg_dump, custom or plain, by the programs of Postgres, while the database is in use. `--sample N` cuts the table to N rows and takes out what refers to the others, through any number of foreign keys; the report says so. Or name a branch with `--on`, which is used up. Ctrl-C leaves nothing behind, and what a killed rehearsal leaves is dropped by the next one. The report, as HTML and JSON, says what was measured and, for each step that failed, what to do; it is signed with the key in `CROSSFADE_REHEARSAL_KEY`, or one that is made and kept beside it. `start --rehearsal FILE` hands it over where the declaration has `requireRehearsal`. Ends with 0 when it passed, with 3 when a step failed.',
  package:
    'Template, functions and declarations: all that `serverless deploy` needs, in a directory of yours. [Deploying](../../infra/README.md#step-by-step).',
  cost: 'Nothing is asked of AWS: requests were counted (`infra/requests.json`, by `npm run bench requests`), prices were read (`infra/prices.json`). [Where they come from](../../infra/README.md#cost).',
  deploy:
    'All parameters stand in one file for each stage, and all that is missing or wrong in it is named at once: [the sample](../../infra/stages/prod.example.yml). `serverless deploy` does the deployment. At the end it checks what `doctor --deployed` checks until all is well, for 5 minutes at most.',
  migrate:
    'With `--stage` the function `schema` of that deployment does it, which is in the network of the database: nothing else has to reach it.',
  uninstall:
    'Ends with 3, and changes nothing, while a cutover is armed or promoted: it names each, and the commands that end it. [Removal](../../infra/README.md#removal).',
  doctor:
    'Checks Node, Java, roles, settings and reachability. With a cutover it shows what `health` finds, too. With `--deployed` it looks at a stage from outside: the database and its schema through a function, who is let in, flags from the publisher to a reader, the last tick, the alarms.',
  health: 'Whatever `preview` or `start` would refuse is a failed check here. Each check has its limit and remedy.',
  preview:
    'Says what promotion would do with every dependent object, and which rows could not go back: number and sample keys. It changes nothing.',
  start: 'Arms capture and begins with `dual_write`.',
  status:
    'Ends with 0 unless `--exit-code` is given. With `--watch` it redraws on a terminal, and elsewhere writes a line for each change.',
  progress: 'Figures of the rows. Whether they are good enough is for the gates to say: `crossfade status`.',
  inspect: 'With `--key` one row of both sides with hashes and the columns that differ. It stores nothing.',
  history: 'Entries have actor, reason and the state of their hash chain.',
  report: 'Status, recommendation and measured score, too.',
  export: 'Cells that a spreadsheet would run are quoted.',
  rollbacks: 'Also shows the time until the last read of the shadow.',
  forwards:
    'A forwarded write is one that one side of a service or component has and the other must get: [forwarded writes](../../functions/README.md#forwarded-writes). Ends with 3 while one is in quarantine.',
  quarantine: 'A key that is given up (`discard`) needs `--confirm` and `--reason`.',
  backfill:
    'A cancelled copy begins from the start when it is resumed. `dry-run` measures 2,000 rows that go into a table like the shadow and are dropped with it; it copies nothing, and works before the start, too.',
  advance:
    'Force skips evidence. It never skips the rules of the stages, nor a shadow that is not armed, not copied or minutes behind. It is audited.',
  policy: 'A change lasts until the next reset. The two-person rule and SQL expressions cannot be changed at run time.',
  reads: 'The stage stays: [switches](../define/README.md#switches-inside-a-stage).',
  writes:
    'Its readers leave first. Without a cutover it is the master switch of writes to all shadows: changes wait in the outboxes, nothing advances; refused while readers of a table are on its shadow.',
  'read-only':
    'For the final catch-up the primary refuses writes with SQLSTATE 25006. All earlier ones are committed and have hints when the command answers; the flag of the cutover says `primary_read_only`. It ends by itself, at promotion, and first of all at a rollback.',
  complete: 'Promotion: the tables exchange their names in one short transaction.',
  cleanup: 'Drops the old table and everything of ours.',
  adopt:
    'For the hold `schema_changed`, in every stage, without a gap in capture. Refused with the reasons where a start would be, and where a new column of the table in use would be lost.',
  'remove-shadow': 'Drops everything of ours with it. Refused while something else uses the table.',
  reset: 'From `rolled_back` to `disabled`.',
  phase: 'Rollback takes back all phases that depend on it, the last first.',
  stop: 'Reads return to the old side. Promoted tables stay as they are.',
  replay:
    'One verdict a minute, up to the first rollback. With `--set` the minutes are replayed twice: with the limits that were in force, and with the ones to try. The stage does not move in either, so what came after an advance or a rollback is as it was lived.',
  open: 'The page of a deployed Crossfade, through a local front that adds your token to requests of the page itself.',
};
