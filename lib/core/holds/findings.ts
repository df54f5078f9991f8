/** What the answer of a source means for a criterion. Pure. */

import { ms } from '../conditions/figures.ts';
import type { AlarmReading, Finding, InvariantReading, InvariantRow } from '../cutover/criterion.ts';

/** @example nameOfAlarm('arn:aws:cloudwatch:eu-central-1:123456789012:alarm:slow') // 'slow' */
const nameOfAlarm = (arn: string): string => arn.split(':alarm:')[1] ?? arn;

/** Texts of others, which may be long. */
const MOST_LETTERS = 300;
const short = (text: string): string =>
  text.length <= MOST_LETTERS ? text : `${text.slice(0, MOST_LETTERS - 1).trimEnd()}…`;
const sentence = (text: string): string => short(text.trim()).replace(/[.!?…]*$/, '');

export function alarmFinding(arn: string, reading: AlarmReading | undefined): Finding {
  const alarm = `CloudWatch alarm '${nameOfAlarm(arn)}'`;
  if (!reading) return unclear('not found', `${alarm} is not there. Its ARN is ${arn}.`);
  if ('problem' in reading) return unclear('not read', `${alarm} cannot be read: ${sentence(reading.problem)}.`);
  const { state, sinceMs, reason } = reading;
  const why = reason.trim() === '' ? '' : `: ${sentence(reason)}`;
  const answer = state === 'OK' ? 'passes' : state === 'ALARM' ? 'fails' : 'unclear';
  return { answer, seen: state, sinceMs, says: `${alarm} is in ${state}${answer === 'passes' ? '' : why}.` };
}

/** Statuses with which a proxy, or a rule about callers, answers in place of the check: nothing was checked. */
const NOT_THE_CHECK: ReadonlySet<number> = new Set([401, 403, 404, 405, 407, 408, 425, 429, 502, 503, 504]);

/** @param url as declared; its host is shown */
export function statusFinding(url: string, status: number): Finding {
  const says = `The check at ${new URL(url).host} answered ${status}`;
  const seen = String(status);
  if (status >= 200 && status < 300) return { answer: 'passes', seen, says: `${says}.` };
  if (status >= 300 && status < 400) return unclear(seen, `${says}: redirects are not followed.`);
  if (NOT_THE_CHECK.has(status) || status < 400)
    return unclear(seen, `${says}, which is no answer of a check that was carried out.`);
  return { answer: 'fails', seen, says: `${says}.` };
}

/** What an invariant has seen that was not evaluated to its end. */
export const TOO_SLOW = 'too slow';

/** @param quarantined keys that are known not to be on the other side: with them a difference is no news */
export function invariantFinding(name: string, reading: InvariantReading, quarantined: number): Finding {
  const invariant = `Invariant '${name}'`;
  switch (reading.kind) {
    case 'unready':
      return unclear(null, `${invariant} cannot be evaluated: ${sentence(reading.why)}.`);
    case 'too_slow':
      return unclear(
        TOO_SLOW,
        `${invariant} was not evaluated within ${ms(reading.limitMs)}. Make its queries faster.`,
      );
    case 'too_many':
      return unclear(null, `${invariant} has more than ${reading.limit} rows. Let its queries group them.`);
    case 'refused':
      return unclear('refused', `${invariant}: ${sentence(reading.why)}.`);
    case 'found': {
      const { rows, samples } = reading;
      if (rows === 0) return { answer: 'passes', seen: 0, says: `${invariant} holds: no rows.` };
      const shown = samples.slice(0, SHOWN).map((row) => row.map(valueText).join(', '));
      return failed(rows, `${invariant} is broken by ${count(rows, 'row')}: ${listed(shown, rows)}.`, quarantined);
    }
    case 'compared': {
      const { rows, differing } = reading;
      if (differing === 0)
        return { answer: 'passes', seen: 0, says: `${invariant} holds: ${count(rows, 'row')}, all equal.` };
      const groups = groupsOf(reading);
      // Samples are some of them only where there are very many.
      const broken = Math.max(differing, groups.length);
      const says = `${invariant} is broken in ${broken} of ${count(Math.max(rows, broken), 'row')}: ${listed(groups.slice(0, SHOWN), broken)}.`;
      return failed(broken, says, quarantined);
    }
  }
}

/** A key that could not be applied makes the sides differ, and is known: a hold of its own says so. */
const failed = (seen: number, says: string, quarantined: number): Finding =>
  quarantined === 0
    ? { answer: 'fails', seen, says }
    : { answer: 'unclear', seen, says: `${says} Keys in quarantine may be the cause.` };

const SHOWN = 5;
const count = (n: number, what: string) => `${n} ${what}${n === 1 ? '' : 's'}`;
const listed = (shown: readonly string[], all: number) =>
  shown.join('; ') + (all > shown.length ? `; and ${all - shown.length} more` : '');
const valueText = (value: string | null) =>
  value === null ? 'NULL' : value.length > 60 ? `${value.slice(0, 59)}…` : value;

/**
 * Rows that differ, those of both sides that belong together in one text: `Canada: old 303.96, new 304.10`. They belong together by
 * their first columns, the values being as few of the last ones as make the first ones a name.
 */
function groupsOf({
  primary,
  shadow,
}: {
  primary: readonly InvariantRow[];
  shadow: readonly InvariantRow[];
}): string[] {
  const named = namedBy(primary, shadow);
  const nameOf = (row: InvariantRow) => row.slice(0, named).map(valueText).join(', ');
  const valuesOf = (row: InvariantRow | undefined) => (row ? row.slice(named).map(valueText).join(', ') : 'nothing');
  const right = new Map(shadow.map((row) => [nameOf(row), row]));
  const left = new Map(primary.map((row) => [nameOf(row), row]));
  return [...new Set([...left.keys(), ...right.keys()])].map((name) => {
    const [old, young] = [left.get(name), right.get(name)];
    if (named > 0 && named === (old ?? young)!.length) return `${name} only in the ${old ? 'old' : 'new'} table`;
    const values = `old ${valuesOf(old)}, new ${valuesOf(young)}`;
    return name === '' ? values : `${name}: ${values}`;
  });
}

/** How many columns name a row: as many as possible, but not all, so that no two rows of a side have one name and some meet. */
function namedBy(primary: readonly InvariantRow[], shadow: readonly InvariantRow[]): number {
  const columns = (primary[0] ?? shadow[0])!.length;
  const names = (rows: readonly InvariantRow[], first: number) =>
    rows.map((row) => JSON.stringify(row.slice(0, first)));
  const distinct = (some: readonly string[]) => new Set(some).size === some.length;
  for (let first = columns - 1; first >= 0; first -= 1) {
    const [left, right] = [names(primary, first), names(shadow, first)];
    if (distinct(left) && distinct(right) && left.some((name) => right.includes(name))) return first;
  }
  return columns;
}

/** @param problem a sentence */
export const problemFinding = (name: string, problem: string): Finding =>
  unclear(null, `Criterion '${name}' could not be asked: ${sentence(problem)}.`);

const unclear = (seen: string | null, says: string): Finding => ({ answer: 'unclear', seen, says });
