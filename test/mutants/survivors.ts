/** Mutants that no test notices, and why that is right. A run fails when another one survives. */

const ANY_VERDICT =
  'a verdict that lets a tick advance is made up to ask the stage machine, which reads none of its figures';
const NO_FIGURES = 'const NO_FIGURES: SideFigures = { count: 0, errors: 0, errorRate: null, p50Ms: n';

const FIGURES = ['checks', 'mismatches', 'badMinutes', 'minutesInStage', 'minutesToEligibility'];
const inConform = (line: string) => `lib/core/stage/conform.ts: number in ${JSON.stringify(line)}`;

const CLAIM_FROM = `v_from := CASE WHEN random() < \${1 / WHOLE_LOOK_EVERY} THEN v_mark[\${FLOOR}] ELS`;

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
  ...Object.fromEntries(FIGURES.map((name) => [inConform(`${name}: 0,`), ANY_VERDICT])),
};
