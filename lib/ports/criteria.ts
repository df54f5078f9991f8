/** Evidence of the user's own that lies outside of the database. One port, so that it can be read from elsewhere than the tick. */

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
