/** What would release a condition that does not hold: a command, something to wait for, or a person who acts elsewhere. */

import { DAY_MINUTES, MINUTE_MS } from '../base/units.ts';

export type Release =
  /** Its words, as a shell takes them apart; and what it does. */
  | { command: readonly string[]; does: string }
  /**
   * It comes by itself: `etaMs` how long it takes, `untilMs` when the waiting ends, where that is known. `aboutMinutes`: how long it
   * would take at the present rate, null where it does not come nearer.
   */
  | { wait: Wait; etaMs?: number; untilMs?: number; aboutMinutes?: number | null }
  /** A person must act, outside of any command: a sentence without its full stop. */
  | { person: string };

/** @example clock(Date.UTC(2025, 10, 21, 8, 12)) // '08:12 UTC' */
export const clock = (atMs: number): string => `${new Date(atMs).toISOString().slice(11, 16)} UTC`;

type Times = { eta: string; until: string };

const when = (what: string) => `It is released when ${what}.`;

/** Everything there is to wait for, as a sentence; some say for how long, or until when. */
const WAITS = {
  time: 'Time releases it.',
  window_ends: 'The end of the window releases it.',
  next_tick: 'The next tick tries again.',
  every_tick: 'Every tick tries again.',
  give_up: ({ until }: Times) => `Every tick tries again; after ${until} it is given up, and that is said.`,
  answer: 'Every tick asks again.',
  arming: 'Every tick arms it; its log has the cause when it cannot.',
  phases_before: when('they are done'),
  peers: when('they can go on'),
  alert_ends: when('the alert has ended'),
  copy_ends: 'The end of the copy releases it.',
  catch_up: when('the writer has caught up to within the limit'),
  forwarding: 'They are carried out by themselves.',
  verifier: 'The verifier runs by itself after the backfill.',
  clean_pass: 'A new, complete pass without a difference releases it.',
  sweep:
    'The tick makes capture again, and every row is copied and compared again; a complete verification without a difference releases it.',
  operations: 'Operations recorded in the last minutes release it.',
  operations_of_both: 'Operations of both release it.',
  traffic: 'Traffic releases it.',
  reports_in_time: when('reports come in time'),
  possible_windows: ({ eta }: Times) => `${eta} of windows that can be true release it.`,
  inside_limit: ({ eta }: Times) => `${eta} inside the limit release it.`,
  samples: 'More operations of the shadow release it.',
  healthy_operations: 'More healthy operations release it.',
  agreeing_comparisons: 'More comparisons that agree release it.',
  comparisons: 'Comparisons of both sides release it.',
  fewer_errors: when('the shadow fails no more often than that'),
  faster: when('the shadow is that fast'),
  keyed_reads: when('enough reads carry a routing key'),
  closed_breakers: when('processes stay with the shadow'),
  less_evidence: when('healthy operations have lowered the evidence'),
  primary_recovers: 'A primary that works again releases it.',
  more_evidence: 'More failures roll back, more that succeed release it.',
  alarm_ok: when('the alarm is in OK'),
  check_passes: when('the check answers with a status 2xx'),
  invariant_holds: when('an evaluation finds it to hold'),
  rise_ends: when('the rise ends'),
  progress: when('its cutovers have come so far'),
} as const satisfies Record<string, string | ((times: Times) => string)>;

export type Wait = keyof typeof WAITS;
export const WAIT_KINDS = Object.keys(WAITS) as Wait[];

/** In sentences. Commands that stand beside each other share one, since one of them is enough. */
export function releaseText(release: readonly Release[]): string {
  const sentences: string[] = [];
  const commands = release.flatMap((one) => ('command' in one ? [`'${one.command.join(' ')}' ${one.does}`] : []));
  let said = false;
  for (const one of release) {
    if ('wait' in one) sentences.push(waitText(one));
    else if ('person' in one) sentences.push(`${one.person}.`);
    else if (!said) {
      sentences.push(`${commands.join(', ')}.`);
      said = true;
    }
  }
  return sentences.join(' ');
}

function waitText({ wait, etaMs = 0, untilMs = 0, aboutMinutes }: Extract<Release, { wait: Wait }>): string {
  const says = WAITS[wait];
  if (typeof says !== 'string') return says({ eta: `${Math.ceil(etaMs / MINUTE_MS)} minutes`, until: clock(untilMs) });
  if (aboutMinutes === null) return `${says} It does not come nearer at present.`;
  if (aboutMinutes !== undefined) return `${says.slice(0, -1)}, ${soonText(aboutMinutes)} at the present rate.`;
  return etaMs > 0 ? `${says.slice(0, -1)}, ${inText(etaMs / MINUTE_MS)}.` : says;
}

/** What goes on at the present rate for more than a day is not known any better. */
const soonText = (minutes: number) => (minutes > DAY_MINUTES ? 'in more than a day' : inText(minutes));

/** Rounded as coarsely as a person would say it: a guess is not known to the minute. */
export function inText(minutes: number): string {
  if (minutes <= 1) return 'within a minute';
  if (minutes <= 20) return `in about ${Math.ceil(minutes)} min`;
  if (minutes <= 90) return `in about ${Math.round(minutes / 5) * 5} min`;
  const hours = minutes / 60;
  if (hours <= 3) return `in about ${Math.round(hours * 2) / 2} h`;
  return hours <= 48 ? `in about ${Math.round(hours)} h` : `in about ${Math.round(hours / 24)} days`;
}

/**
 * A wait whose end can be guessed from how it goes.
 * @param aboutMinutes null where it does not come nearer, undefined where nothing is known of that
 */
export const waitsAbout = (wait: Wait, aboutMinutes: number | null | undefined): Release =>
  aboutMinutes === undefined
    ? { wait }
    : { wait, aboutMinutes: aboutMinutes === null ? null : Math.ceil(Math.min(aboutMinutes, LONGEST_GUESS) * 10) / 10 };

/** The first guess among them, as it is in JSON. */
export function aboutMinutesOf(release: readonly Release[]): { aboutMinutes?: number | null } {
  for (const one of release)
    if ('wait' in one && one.aboutMinutes !== undefined) return { aboutMinutes: one.aboutMinutes };
  return {};
}

/** A year. Beyond it nothing is said any more, and figures in JSON stay finite. */
const LONGEST_GUESS = 365 * DAY_MINUTES;

/** The commands among them, as they are typed. */
export const commandsOf = (release: readonly Release[]): string[] =>
  release.flatMap((one) => ('command' in one ? [commandText(one.command)] : []));

/** @example commandText(['crossfade', 'rollback', 'a', '--reason', '…']) // "crossfade rollback a --reason '…'" */
export const commandText = (words: readonly string[]): string =>
  words.map((word) => (/^[\w./:=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)).join(' ');
