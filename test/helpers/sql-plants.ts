/**
 * What tests plant in generated SQL: faults, each of which breaks one rule of the data plane, and moments at which a call can be
 * halted. All of them are changes of the text, so the product has no switch for them. A change fits one place of the function
 * or it is an error: where the product moves on, the control must move with it.
 */

import { type Replacement, replaceOnce } from './replace-once.ts';

/** What becomes of a function, from the text that is generated for it. */
export type Rewrite = (generated: string) => string;
/** By the function's name without the cutover: `apply`, `converge`, … */
export type Rewrites = Readonly<Record<string, Rewrite>>;
export type Edit = readonly [name: string, ...Replacement];

export const asGenerated: Rewrite = (generated) => generated;

/** @param names functions to put back as they are generated, besides those that are edited */
export function edited(edits: readonly Edit[], names: readonly string[] = []): Rewrites {
  const rewrite = (name: string): Rewrite => {
    const here = edits.filter(([edit]) => edit === name);
    if (here.length === 0) return asGenerated;
    return (generated) =>
      here.reduce((text, [, ...replacement]) => replaceOnce(text, replacement, `The function ${name}`), generated);
  };
  return Object.fromEntries([...names, ...edits.map(([name]) => name)].map((name) => [name, rewrite(name)]));
}

const LOCK = 'pg_(?:try_)?advisory_xact_lock';
const LOCKED_KEYS: readonly Edit[] = [
  ['converge', new RegExp(`PERFORM ${LOCK}\\(hashtext\\([\\s\\S]*?\\) b;`), ''],
  ['converge', new RegExp(`(?<=SELECT \\* FROM waiting o WHERE )${LOCK}\\(.*\\)`), 'true'],
];
const FENCE = /\n {2}IF current_setting\('transaction_isolation'\)[\s\S]*?'got', p_epoch\);\n {2}END IF;/;

/** By what the data plane then lacks. */
export const SQL_FAULTS = {
  /** Two appliers of one key: the one that has read first may write last. */
  'lock of the key': LOCKED_KEYS,
  /** The same in inline mode, where the writer's transaction and converge take the lock without waiting. */
  'lock of the key, inline': [
    ...LOCKED_KEYS,
    ['converge', new RegExp(` AND \\(op IN \\('T', 'S'\\) OR ${LOCK}\\(.*\\)\\)`), ''],
    ['inline', new RegExp(`(?<=OR NOT )\\(SELECT bool_and\\(${LOCK}\\(.*(?= THEN)`), 'true'],
  ],
  /** A call of an older epoch writes all the same. */
  fence: [
    ['converge', FENCE, ''],
    ['backfill', FENCE, ''],
    ['verify', FENCE, ''],
  ],
  /** A key that was given up is lost without a word. */
  quarantine: [['converge', /PERFORM crossfade\.quarantine_key\(.*\);/, '']],
  /** Unique values that circle among rows are never exchanged. */
  exchange: [['converge', "WHERE b.state IN ('23505', '23P01');", 'WHERE false;']],
  /** What the deleted row had in columns that are not written comes back with its key. */
  reset: [['apply', 'IF true = ANY (p_reset) THEN', 'IF false THEN']],
  /** A row that is deleted while it is copied comes back. */
  'ghost sweep': [
    ['backfill', 'IF v_row.copied_key IS NOT NULL THEN', 'IF false THEN'],
    ['backfill', /IF \S+ THEN(?=\s+PERFORM set_config\('enable_seqscan', 'on', true\);)/, 'IF false THEN'],
  ],
  /** A changed key leaves no hint of the one before. */
  'hint of the old key': [['capture', 'v_moved := true;', 'v_moved := false;']],
  /** TRUNCATE leaves no hint. */
  'hint of a truncation': [['truncated', /INSERT INTO \S+ \(op\) VALUES \('T'\);/, '']],
  /** What is only late is taken for a divergence. */
  'hints that wait': [
    [
      'verify',
      /AND NOT EXISTS \(SELECT FROM crossfade\."outbox_.*\s+--.*\s+AND NOT \(d\.present IS NULL AND EXISTS .*\)\)/g,
      '',
    ],
  ],
  /** One row that cannot be transformed fails the whole pass. */
  'judgement by key': [['verify', 'v_target_rows := v_rows;', 'RAISE;']],
  /** Equal by value is taken for the same: 1.0 and 1.00, 0 and −0. */
  image: [
    [
      'verify',
      /ROW\(([^)]*)\)::record \*<> ROW\(([^)]*)\)::record(?= AS differs)/,
      (_, source, target) => `to_jsonb(ROW(${source})) IS DISTINCT FROM to_jsonb(ROW(${target}))`,
    ],
  ],
  /** A sum in place of pairs: the hash of a record is linear in those of its columns, so rows that swap values are not seen. */
  pairs: [
    [
      'verify',
      /(?<=IF v_pass\.tier = 'fast' THEN\n)[\s\S]*?(\n\s+ELSE\n)([\s\S]*?;)(?=\n\s+END IF;)/,
      (_, otherwise = '', digests = '') =>
        digests.replaceAll(
          /sha256\(coalesce\(string_agg\(sha256\(convert_to\((ROW\(.*\))::text, 'UTF8'\)\), ''::bytea ORDER BY .*\), ''\)\)(?= AS total)/g,
          'coalesce(mod(mod(sum(hash_record_extended($1, 0)), 2::numeric ^ 64) + 2::numeric ^ 64, 2::numeric ^ 64), 0)',
        ) +
        otherwise +
        digests,
    ],
  ],
} satisfies Readonly<Record<string, readonly Edit[]>>;

/** Between reading the source and writing the target, which are one statement. */
function afterRead(call: string): readonly Edit[] {
  return [
    [
      'apply',
      ' s ON true\n  ),',
      ` s ON true\n  ),\n  nap AS MATERIALIZED (SELECT ${call} FROM (SELECT count(*) FROM src) s),`,
    ],
    ['apply', 'FROM src WHERE src.present\n', 'FROM src, nap WHERE src.present\n'],
    ['apply', 'USING src WHERE', 'USING src, nap WHERE'],
  ];
}

/** Makes races likely, in good and bad variants alike. */
export const dawdling = (seconds: number): readonly Edit[] => afterRead(`pg_sleep(${seconds})`);

/** Moments between two effects of one call, in their order, but for the one within apply. */
const POINTS = [
  ['converge: claimed', /(?=\n {2}IF v_unnamed THEN)/],
  ['converge: locked', /(?=\n {4}IF EXISTS \(SELECT FROM crossfade\.quarantine .*\n {6}SELECT array_agg\(k\.reset)/],
  ['converge: put aside', /(?=\n {2}END IF;\n\n {2}DELETE FROM \S+ o WHERE o\.seq = ANY \(v_seqs\))/],
  ['converge: written', /(?<=\n {2}END IF;)(?=\n\n {2}DELETE FROM \S+ o WHERE o\.seq = ANY \(v_seqs\))/],
  ['converge: hints deleted', /(?<=AND NOT o\.seq = ANY \(v_kept\);)/],
  ['converge: compared', /(?=\n {2}PERFORM .*\n {2}SELECT count\(\*\) INTO v_left)/],
  ['backfill: cursor taken', /(?<=IF v_row\.state = 'done' THEN RETURN .* END IF;)/],
  ['backfill: swept', /(?<=v_row\.swept_key := v_row\.copied_key;)/],
  ['backfill: copied', /(?=\n\n {2}UPDATE crossfade\.backfill b SET copied_key = v_to)/],
  ['backfill: cursor saved', /(?=\n {2}RETURN jsonb_build_object\('kind', 'copied')/],
  ['backfill: swept whole', /(?=\n {4}UPDATE crossfade\.backfill b SET state = 'done')/],
  ['backfill: done', /(?=\n {4}RETURN jsonb_build_object\('kind', 'done')/],
  ['verify: pass begun', /(?<=m WHERE m\.place IS NULL;)/],
  ['verify: mark taken', /(?<=m WHERE m\.place = v_place;)/],
  ['verify: compared', /(?=\n {4}UPDATE \S+ g SET rows = v_rows)/],
  ['verify: segment saved', /(?<=pass = v_pass\.number WHERE g\.place = v_place;)/],
  ['verify: pass done', /(?<=unproven = NULL WHERE v\.cutover = .*;)/],
  ['verify: verdict saved', /(?<=THEN EXCLUDED\.tier ELSE v\.tier END;)/],
] as const;
const READ = 'apply: read';

export const BREAKPOINTS = [...POINTS.map(([name]) => name), READ] as const;
/** Calls `test.breakpoint(name)`, a function that the test brings, at every one of these moments. */
export const HALTING: readonly Edit[] = [
  ...afterRead(`test.breakpoint('${READ}')`),
  ...POINTS.map(
    ([name, place]): Edit => [name.slice(0, name.indexOf(':')), place, ` PERFORM test.breakpoint('${name}');`],
  ),
];
