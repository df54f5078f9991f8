/** What a person can do from the page now: the request that does it, what it will do in sentences, and what must be said with it. Pure. */

import { share } from '../core/conditions/figures.ts';
import { nextStage, servedPpm } from '../core/cutover/plan.ts';
import type { Command } from '../core/stage/events.ts';
import type { CutoverReport } from '../flows/report/report.ts';
import type { Tone } from './sentences.ts';
import { legalNow } from './steps.ts';

export type Action = {
  name: string;
  /** `POST` to this path, relative to the page. */
  path: string;
  body: Readonly<Record<string, string | boolean>>;
  /** Whether a reason is sent with it. */
  reason: boolean;
  /** What a person must type before it is sent; null where nothing. */
  confirm: string | null;
  does: readonly string[];
  tone: Tone;
};

type Offered = Omit<Action, 'path' | 'reason' | 'confirm' | 'body' | 'tone'> & Partial<Action>;
type Reported = CutoverReport;

/** What needs the terminal is left out: limits of the policy, dropping the old side, and force. */
const OFFERS: Partial<Record<Command['type'], (report: Reported) => Offered | null>> = {
  start: ({ kind, plan }) => ({
    name: 'Start',
    does: [
      `The plan ${plan.name} begins with its first stage. Reads stay on the primary.`,
      kind === 'table' ? 'Changes are captured, and the rows are copied to the shadow.' : 'Writes go to both sides.',
    ],
  }),
  advance: (report) => {
    const next = nextStage(report);
    if (report.verdict.verdict !== 'advance' || !next || next.kind === 'completed') return null;
    const [from, to] = [report.sharePpm, servedPpm(next, report.plan)].map(share);
    return {
      name: `Advance to ${next.name}`,
      does: [`Reads on the shadow go from ${from} to ${to}.`, 'Dwell and evidence begin again from zero.'],
    };
  },
  approve: ({ verdict }) =>
    verdict.conditions.some(({ row, ok }) => row === 'approval' && !ok)
      ? { name: 'Approve', does: ['The stage may advance as soon as its other gates hold.'] }
      : null,
  pause: () => ({ name: 'Pause', does: ['Nothing advances until it is resumed. Guards go on to roll back.'] }),
  resume: () => ({ name: 'Resume', does: ['It advances by itself again.'] }),
  reads: ({ switches, sharePpm }) =>
    switches.shadowReads
      ? {
          name: 'Take reads off the shadow',
          body: { to: 'primary' },
          reason: true,
          does: [
            `All reads go to the primary (${share(sharePpm)} are on the shadow). The stage stays, and it cannot advance.`,
          ],
        }
      : {
          name: 'Give reads back to the shadow',
          body: { to: 'shadow' },
          reason: true,
          does: ['Reads go to the shadow again as the stage plans. Its dwell and evidence begin again from zero.'],
        },
  'shadow-writes': ({ switches }) =>
    switches.shadowWrites
      ? {
          name: 'Stop writes to the shadow',
          body: { enabled: false },
          reason: true,
          does: ['Nothing is written to the shadow, and reads leave it. What it misses is brought to it later.'],
        }
      : {
          name: 'Write to the shadow again',
          body: { enabled: true },
          reason: true,
          does: ['What it missed is brought to it.'],
        },
  complete: ({ id, kind, health }) =>
    health === 'ready'
      ? {
          name: 'Complete',
          confirm: id,
          body: { confirm: id },
          does: [
            kind === 'table'
              ? 'The shadow takes the name of the primary in one transaction, for which writers wait a moment.'
              : 'The shadow serves everything.',
            'The old side is kept equal, so that going back loses nothing.',
          ],
        }
      : null,
  rollback: ({ stageKind, sharePpm }) => ({
    name: 'Roll back',
    reason: true,
    tone: 'bad',
    does:
      stageKind === 'completed'
        ? ['The tables exchange their names again. No row is lost.']
        : [
            `All reads return to the primary at once (${share(sharePpm)} are on the shadow). No row is lost.`,
            'It starts again from the beginning after a reset.',
          ],
  }),
  reset: ({ id }) => ({
    name: 'Reset',
    confirm: id,
    body: { confirm: id },
    does: ['It can be started again. What was seen of the last attempt stays in the audit.'],
  }),
};

export function actionsOf(report: Reported, emergencyStop: boolean): Action[] {
  return legalNow(report, emergencyStop).flatMap((command) => {
    const offered = OFFERS[command]?.(report);
    const path = `v1/cutovers/${report.id}/${command}`;
    return offered ? [{ path, body: {}, reason: false, confirm: null, tone: 'idle', ...offered }] : [];
  });
}

export const acknowledgeAction = (alert: string): Action => ({
  name: 'Acknowledge',
  path: `v1/alerts/${alert}/acknowledge`,
  body: {},
  reason: true,
  confirm: null,
  does: ['You take it on: it is not escalated any more. It goes on to fire, hold and roll back as before.'],
  tone: 'idle',
});

/** What can be done with the keys of a table that need a person. Each is about rows, and moves no stage. */
export const retryAllAction = (id: string): Action => ({
  ...ABOUT_ROWS,
  name: 'Try all again',
  path: `v1/cutovers/${id}/quarantine/retry`,
  does: ['Every key in quarantine is written to the other side again. Those that still do not fit stay listed.'],
});

export const retryAction = (id: string, key: string): Action => ({
  ...ABOUT_ROWS,
  name: 'Try again',
  path: `v1/cutovers/${id}/quarantine/retry`,
  body: { key },
  does: [`The row of ${key} is written to the other side again. It stays listed until it fits.`],
});

export const discardAction = (id: string, key: string): Action => ({
  ...ABOUT_ROWS,
  name: 'Give up',
  path: `v1/cutovers/${id}/quarantine/discard`,
  body: { key, confirm: id },
  reason: true,
  confirm: id,
  does: [
    `The row of ${key} may stay different on both sides, and no longer holds the cutover.`,
    'Verification counts it as a difference.',
  ],
  tone: 'bad',
});

export const repairAction = (id: string): Action => ({
  ...ABOUT_ROWS,
  name: 'Repair',
  path: `v1/cutovers/${id}/repair`,
  does: [
    'Every key that differed in the last verification is written to the other side again. The next pass compares them.',
  ],
});

const ABOUT_ROWS = { body: {}, reason: false, confirm: null, tone: 'idle' } as const;
