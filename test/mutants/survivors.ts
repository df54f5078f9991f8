/** Mutants that no test notices, and why that is right. A run fails when another one survives. */

const ANY_VERDICT =
  'a verdict that lets a tick advance is made up to ask the stage machine, which reads none of its figures';
const NO_FIGURES = 'const NO_FIGURES: SideFigures = { count: 0, errors: 0, errorRate: null, p50Ms: n';

const FIGURES = ['checks', 'mismatches', 'badMinutes', 'minutesInStage', 'minutesToEligibility'];
const inConform = (line: string) => `lib/core/stage/conform.ts: number in ${JSON.stringify(line)}`;

const CLAIM_FROM = `v_from := CASE WHEN random() < \${1 / WHOLE_LOOK_EVERY} THEN v_mark[\${FLOOR}] ELS`;

const NOTHING_BAD = 'of no key nothing is put off: every statement within finds none';

export const REASONS: Readonly<Record<string, string>> = {
  [inConform(NO_FIGURES)]: ANY_VERDICT,
  [`${inConform(NO_FIGURES)} #2`]: ANY_VERDICT,
  [`functions/middleware.ts: always true in ${JSON.stringify('...(reply.rest ? { rest: reply.rest } : {}),')}`]:
    'a rest that is undefined is read as none by whoever asks for it',
  [`outbox.ts: one more in ${JSON.stringify(`IF v_mark[\${SEEN_ID}] > 0 AND pg_snapshot_xmin(pg_current_snapshot())::text::big`)}`]:
    'the id of a transaction is 3 or more, and 0 stands for none',
  [`converge.ts: < → <= in ${JSON.stringify(CLAIM_FROM)}`]: 'a random number is next to never equal to a limit',
  [`converge.ts: greatest → least in ${JSON.stringify(CLAIM_FROM)}`]:
    'every look begins at the floor then: it finds the same hints, and reads more of the index',
  [`converge.ts: always in ${JSON.stringify(`return \`IF cardinality(v_bad) > 0 THEN`)}`]: NOTHING_BAD,
  [`converge.ts: > → >= in ${JSON.stringify(`return \`IF cardinality(v_bad) > 0 THEN`)}`]: NOTHING_BAD,
  [`outbox.ts: + → - in ${JSON.stringify(`SELECT coalesce(min(o.seq), v_mark[\${SEEN_NUMBER}] + 1) INTO v_from FROM \${outbo`)}`]:
    'a floor that is two lower finds the same hints',
  [`verify.ts: > → >= in ${JSON.stringify(`SELECT s.sample FROM \${segment} g, jsonb_array_elements(g.samples) AS s(sample) `)}`]:
    'a segment without divergences has no samples',
  [`verify.ts: < → <= in ${JSON.stringify(`AND v_pass.counted_pages < \${sourceSize(flow)} / current_setting('block_size')::`)}`]:
    'no row is on the pages after the last one',
  [`verify.ts: < → <= in ${JSON.stringify("WHERE p.ctid >= format('(%s,0)', v_pass.counted_pages)::tid AND p.ctid < format(")}`]:
    'no row has the place 0 of a page',
  [`verify.ts: one more in ${JSON.stringify(`SELECT coalesce(sum(g.rows), 0) INTO v_rows FROM \${segment} g;`)}`]:
    'where no segment is, nothing is proven, and this is not reached',
  [`outbox.ts: one more in ${JSON.stringify(`v_mark := ARRAY[0, 0, 0, 0, 0, \${table}];`)}`]:
    'numbers begin with 1: from 0 and from 1 on there are the same ones',
  [`crossfade.table_status: one more in ${JSON.stringify('v_aside bigint := 0;')}`]: 'it is counted before it is read',
  [`lib/core/gates/buckets.ts: number in ${JSON.stringify('ROW.fill(0, low, high + 1);')} #2`]:
    'what lies above the highest place is 0 already',
  [`lib/core/gates/likelihood.ts: number in ${JSON.stringify('if (slope === 0) return a;')}`]:
    'such an end of the interval is as near to the root as is asked for',
  [`lib/core/holds/freeze.ts: < → <= in ${JSON.stringify('return on(day - 1) && minute < toMinute ? toMinute - minute : 0;')}`]:
    'at the end of the window nothing remains of it, either way',
  [`converge.ts: one more in ${JSON.stringify('v_checked integer := 0;')}`]: 'it is counted before it is read',
  [`lib/core/routing/routing.ts: >= → > in ${JSON.stringify('if (flag.read_ppm >= 1_000_000) return SHARE_SHADOW;')}`]:
    'every bucket lies below a whole share, and who has none gets the rest',
  [`lib/core/look/gate-table.ts: > → >= in ${JSON.stringify("return Math.abs(z) < SIGNIFICANT ? 'steady' : z > 0 ? 'rising' : 'falling';")}`]:
    'what is not steady is not 0',
  ...Object.fromEntries(FIGURES.map((name) => [inConform(`${name}: 0,`), ANY_VERDICT])),
};
