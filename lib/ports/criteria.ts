/**
 * Evidence of the user's own that lies outside of the database. The tick asks by this port; the publisher, outside of the database's
 * network, looks.
 */

import type { ErrorCode } from '../core/base/errors.ts';
import type { AlarmReading } from '../core/cutover/criterion.ts';

/** What an HTTP check is asked: the body of the POST. */
export type CheckQuestion = {
  /** New for every POST. */
  id: string;
  atMs: number;
  cutover: string;
  criterion: string;
  stage: string;
  /** Of the reads, on the shadow. */
  sharePercent: number;
};

type HttpCheck = { url: string; privateHosts: readonly string[]; timeoutMs: number };

export type CriteriaSources = {
  /** What is known of these alarms, by ARN. One that is not there is missing. Does not reject: what fails is the reading's problem. */
  alarms(arns: readonly string[]): Promise<ReadonlyMap<string, AlarmReading>>;
  /**
   * The status that a signed POST is answered with.
   * @throws CrossfadeError `upstream_refused`, `upstream_unavailable`, `upstream_timeout`, `access_denied`, `invalid_config`
   */
  httpCheck(check: HttpCheck, question: CheckQuestion): Promise<number>;
};

export type CriteriaRequest = { id: string; untilMs: number } & (
  | { kind: 'alarms'; arns: readonly string[] }
  | { kind: 'check'; check: HttpCheck; question: CheckQuestion }
);

/** Of an HTTP check: its status, or the error that it ended with. */
export type CriteriaAnswer =
  | { readings: readonly (readonly [arn: string, AlarmReading])[] }
  | { status: number }
  | { code: ErrorCode; message: string };

/** The publisher's end of questions of the tick. @throws CrossfadeError `store_unavailable` */
export type CriteriaRequests = {
  /** Consistent: not answered, and still waited for; oldest first. */
  open(): Promise<readonly CriteriaRequest[]>;
  answer(id: string, answer: CriteriaAnswer): Promise<void>;
};
