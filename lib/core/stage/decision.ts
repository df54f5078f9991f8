/** What the stage machine answers, and what it is given beside the state: accepted with events, unchanged, or refused. */

import type { ErrorCode } from '../base/errors.ts';
import type { Condition } from '../conditions/condition.ts';
import { show, textOf } from '../conditions/show.ts';
import type { Frozen } from '../holds/freeze.ts';
import type { Event } from './events.ts';

export type Decision =
  | { kind: 'accepted'; events: readonly Event[] }
  | { kind: 'unchanged'; why: string }
  | { kind: 'refused'; code: ErrorCode; message: string; details?: Readonly<Record<string, unknown>> };

export type Context = {
  nowMs: number;
  actor: string;
  emergencyStop: boolean;
  /** The freeze window that is open now. */
  frozen?: Frozen | null;
  /** What forbids going forward and is no matter of evidence, so that force does not help: the order of phases. */
  barred?: readonly Condition[];
  /** The approval must come from somebody else. */
  twoPerson?: boolean;
};

/** Held by conditions, which programs get as data. @param guards they are guards that fired */
export const refuseFor = (what: string, reasons: readonly Condition[], guards = false): Decision =>
  refuse('held', `${what} ${textOf(reasons)}`, { reasons: reasons.map((reason) => show(reason, guards)) });

export const accept = (...events: Event[]): Decision => ({ kind: 'accepted', events });
export const refuse = (code: ErrorCode, message: string, details?: Readonly<Record<string, unknown>>): Decision => ({
  kind: 'refused',
  code,
  message,
  ...(details ? { details } : {}),
});
