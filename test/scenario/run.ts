/** What scenarios share: a world with one table, watched every minute, and ways to bring it somewhere. */

import { expect } from 'vitest';
import type { Verdict } from '../../lib/core/conditions/verdict.ts';
import type { CutoverDeclaration } from '../../lib/core/cutover/cutover.ts';
import { makePlan } from '../../lib/core/cutover/plan.ts';
import { type WorldOptions, world } from '../helpers/world.ts';
import { declarationOf } from '../property/samples.ts';
import { oracle } from './oracle.ts';

export const ID = 'customer';
export const DWELL_MINUTES = 5;

/** Two ramps that get enough operations in five minutes. */
export const SHORT = makePlan(
  'short',
  [
    ['r10', 10],
    ['r50', 50],
    ['full_100', 100],
  ],
  DWELL_MINUTES,
);
export const SERVING = ['dual_write', 'r10', 'r50', 'full_100'] as const;
export const READING = ['r10', 'r50', 'full_100'] as const;

export const shortTable = (overrides: Parameters<typeof declarationOf>[1] = {}): CutoverDeclaration =>
  declarationOf('table', { plan: SHORT, ...overrides });

export type Run = ReturnType<typeof run>;

export function run(options: Partial<WorldOptions> = {}) {
  const w = world({ cutovers: [shortTable()], ...options });
  const o = oracle(w);
  const minutes = async (count = 1, each?: () => Promise<unknown> | unknown) => {
    for (let i = 0; i < count; i += 1) {
      if (each) await each();
      await w.minute();
      o.check();
    }
    await o.checkAudit();
  };
  const stage = () => o.state(ID).stage;
  /** Lives minutes until the cutover is in a stage; how many it took. */
  const until = async (wanted: string, limit = 60, each?: () => Promise<unknown> | unknown): Promise<number> => {
    for (let i = 0; i <= limit; i += 1) {
      if (stage() === wanted) return i;
      await minutes(1, each);
    }
    const verdict = await verdictOf();
    throw new Error(`After ${limit} minutes in ${stage()}, not ${wanted}: ${JSON.stringify(verdict?.reasons)}`);
  };
  const accepted = async (...command: Parameters<typeof w.operate> extends [string, ...infer Rest] ? Rest : never) => {
    const answered = await w.operate(ID, ...command);
    expect(answered).toMatchObject({ ok: true });
    return answered;
  };
  const verdictOf = async (): Promise<Verdict | undefined> => (await w.verdicts.read(ID))?.verdict;
  return {
    w,
    o,
    minutes,
    stage,
    until,
    accepted,
    verdict: verdictOf,
    /** Codes of the conditions that hold the cutover, by the last tick. */
    held: async (): Promise<readonly string[]> => {
      const verdict = await verdictOf();
      return verdict?.verdict === 'hold' ? verdict.reasons.map(({ code }) => code) : [];
    },
    /** On healthy traffic from `disabled` to this stage; a promoted one by an operator. */
    async reach(wanted: string) {
      await minutes(2);
      await accepted({ type: 'start' });
      if (wanted !== 'completed') return until(wanted);
      await until('full_100');
      await minutes(DWELL_MINUTES + 3);
      await accepted({ type: 'complete', confirm: ID });
      return minutes(2);
    },
    /** Readers, as they are now, send nobody to the shadow. */
    nobodyReadsTheShadow: () => w.app.readers.every(({ document }) => sharesNothing(document?.cutovers[ID])),
  };
}

const sharesNothing = (flag: { read_ppm: number } | undefined) => (flag?.read_ppm ?? 0) === 0;
