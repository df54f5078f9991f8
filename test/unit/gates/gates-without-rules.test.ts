/** Negative controls of the gates: each rule taken out of their source, and the harm that it is there to prevent seen. */

import { describe, expect, it } from 'vitest';
import type { Verdict } from '../../../lib/core/conditions/verdict.ts';
import { DEFAULT_POLICY, type Policy } from '../../../lib/core/cutover/cutover.ts';
import { absoluteGuards, guardHolds } from '../../../lib/core/gates/absolute-guards.ts';
import { evaluateGates } from '../../../lib/core/gates/evaluate.ts';
import type { Evidence } from '../../../lib/core/gates/evidence.ts';
import type { MinuteWindow } from '../../../lib/core/gates/minute-window.ts';
import type { GateInput } from '../../../lib/core/gates/seen.ts';
import { partsOf } from '../../helpers/parts.ts';
import { type Fault, sourceMutant } from '../../helpers/source-mutant.ts';
import { stateIn } from '../../property/samples.ts';
import { exactMinute } from '../../property/traffic.ts';

const MINUTE_MS = 60_000;
/** The stage was entered in this minute; its own first minute is the next one. */
const ENTERED = 29_473_920;
const HISTORY_MINUTES = 30;

type Fields = Parameters<typeof exactMinute>[3];
type Life = {
  /** Looks, one a minute. */
  minutes: number;
  shadow?: (n: number) => MinuteWindow | null;
  primary?: (n: number) => MinuteWindow | null;
  policy?: Partial<Policy>;
  paused?: boolean;
  /** What the primary did before the stage. */
  history?: (n: number) => MinuteWindow | null;
  over?: Partial<GateInput>;
};

/** The gates as they are, or with a rule taken out. */
type Gates = {
  evaluateGates: typeof evaluateGates;
  absoluteGuards: typeof absoluteGuards;
  guardHolds: typeof guardHolds;
};
const GATES: Gates = { evaluateGates, absoluteGuards, guardHolds };

const at = (n: number, side: 'primary' | 'shadow', count: number, fields: Fields = {}) =>
  exactMinute(ENTERED + n, side, count, fields);

/** The verdict of every look at a 1 % stage of a component, and the evidence after the last. */
function live(life: Life, gates: Gates): { verdicts: Verdict[]; evidence: Evidence } {
  const { shadow = (n) => at(n, 'shadow', 20), primary = (n) => at(n, 'primary', 1_000, { errors: 1 }) } = life;
  const windows: MinuteWindow[] = [];
  const { history = (n) => at(n, 'primary', 1_000, { errors: 1 }) } = life;
  for (let n = -HISTORY_MINUTES; n <= 0; n += 1) windows.push(...[history(n)].filter((window) => window !== null));
  const verdicts: Verdict[] = [];
  const all: MinuteWindow[] = [];
  let evidence: Evidence | null = null;
  for (let n = 1; n <= life.minutes; n += 1) {
    const came = [primary(n), shadow(n)].filter((window) => window !== null);
    windows.push(...came);
    all.push(...came);
    const state = stateIn('r1', { enteredAtMs: ENTERED * MINUTE_MS, paused: life.paused ?? false }, 'component');
    const policy = { ...DEFAULT_POLICY, ...life.policy };
    const nowMs = (ENTERED + n + 1) * MINUTE_MS;
    const situation = { state, policy, windows: all, nowMs };
    const judged: ReturnType<typeof evaluateGates> = gates.evaluateGates({
      state,
      policy,
      guards: gates.absoluteGuards(situation),
      holds: gates.guardHolds(situation),
      parts: partsOf(windows),
      table: null,
      evidence,
      flagsDeployed: true,
      nowMs,
      ...life.over,
    });
    evidence = judged.evidence;
    verdicts.push(judged.verdict);
  }
  return { verdicts, evidence: evidence! };
}

const rolledBackAt = ({ verdicts }: ReturnType<typeof live>): number | null => {
  const index = verdicts.findIndex(({ verdict }) => verdict === 'rollback');
  return index < 0 ? null : index + 1;
};
const everAdvances = ({ verdicts }: ReturnType<typeof live>) => verdicts.some(({ verdict }) => verdict === 'advance');
const failing = (count: number, errors: number) => (n: number) => at(n, 'shadow', count, { errors });
/** From this minute on a healthy shadow has proven itself at this traffic. */
const PROVEN = 20;

const JUDGE = 'lib/core/gates/evaluate.ts';
const ABSOLUTE = 'lib/core/gates/absolute-guards.ts';
const FOLD = 'lib/core/gates/fold.ts';
const ARRIVED = 'lib/core/gates/arrived.ts';
const GUARDS = 'lib/core/gates/guards.ts';
const FLOORS = 'lib/core/gates/floors.ts';
const ADVANCE = 'lib/core/gates/conditions.ts';
const DATA = 'lib/core/gates/data-conditions.ts';
const READ = 'lib/core/gates/read-conditions.ts';
const MINUTE_IS_JUDGED = 'foldMinute(closed, one, groundOf(';
const BASELINE_GROWS = 'if (one.primary) learn(closed, one, one.primary, context);';

type Control = { promise: string; without: readonly Fault[]; kept: (gates: Gates) => boolean };

const CONTROLS: Readonly<Record<string, Control>> = {
  /** The minute that is judged is not part of what it is compared with. */
  earlier_baseline: {
    promise: 'a first minute with nothing before it says nothing of latency',
    without: [[FOLD, MINUTE_IS_JUDGED, `${BASELINE_GROWS} ${MINUTE_IS_JUDGED}`]],
    kept: (gates) => {
      const slow = (n: number) => at(n, 'shadow', 1_000, { latencyMs: 500 });
      const { evidence } = live({ minutes: 3, history: () => null, shadow: slow }, gates);
      return evidence.metrics.latency_p95.excursions.every(({ bad }) => bad === 0);
    },
  },
  /** Nothing is proven in fewer bad minutes than the policy says. */
  bad_minutes: {
    promise: 'a shadow is not rolled back for errors before its tenth bad minute where ten are asked for',
    without: [
      [GUARDS, 'bad >= input.policy.consecutiveFailures', 'true'],
      [GUARDS, '&& bad >= policy.consecutiveFailures', ''],
    ],
    kept: (gates) =>
      rolledBackAt(live({ minutes: 12, shadow: failing(1_000, 200), policy: { consecutiveFailures: 10 } }, gates)) ===
      10,
  },
  /** Bad minutes alone are no proof. */
  proof: {
    promise: 'three unlucky minutes of a few operations roll nothing back',
    without: [[GUARDS, 'logE >= needed', 'true']],
    kept: (gates) => rolledBackAt(live({ minutes: 3, shadow: failing(20, 1) }, gates)) === null,
  },
  /** One minute counts for at most 1/2.8 of a proof. */
  cap: {
    promise: 'one minute proves nothing, even where one bad minute is enough',
    without: [[FOLD, 'cap(logNeeded(name, draft.horizon), prior)', 'prior.map(() => Infinity)']],
    kept: (gates) =>
      rolledBackAt(live({ minutes: 1, shadow: failing(10_000, 2_000), policy: { consecutiveFailures: 1 } }, gates)) ===
      null,
  },
  /** What fails half of its operations is not waited for. */
  floors: {
    promise: 'a shadow that fails everything goes in the minute in which that is seen',
    without: [[GUARDS, 'unavailable(seen)', 'null']],
    kept: (gates) => rolledBackAt(live({ minutes: 1, shadow: failing(20, 20) }, gates)) === 1,
  },
  /** Failures that come in clusters on the primary are no proof against the shadow one by one. */
  clusters: {
    promise: 'two clients that try again and again prove nothing where the failures of the primary come like that, too',
    without: [
      [FOLD, 'overdispersion(draft.baseline)', '1'],
      [FLOORS, 'overdispersion(evidence.baseline)', '1'],
    ],
    kept: (gates) => {
      const primary = (n: number) => at(n, 'primary', 1_000, { errors: n % 4 === 0 ? 8 : 0 });
      const shadow = (n: number) => (n === 5 ? at(n, 'shadow', 12, { errors: 8 }) : at(n, 'shadow', 4));
      return rolledBackAt(live({ minutes: 8, shadow, primary, history: primary }, gates)) === null;
    },
  },
  /** Nobody goes back to a side that fails alike. */
  failing_alike: {
    promise: 'nobody goes back to a primary that fails as much',
    without: [[FLOORS, 'find(explainedByPrimary(false))', 'find(() => true)']],
    kept: (gates) =>
      rolledBackAt(
        live({ minutes: 5, shadow: failing(20, 20), primary: (n) => at(n, 'primary', 1_000, { errors: 990 }) }, gates),
      ) === null,
  },
  /** A shadow that gets far fewer reads than are sent to it may swallow them. */
  shortfall: {
    promise: 'a shadow to which a tenth of its reads come does not advance, however healthy they are',
    without: [[READ, '...shortfall(seen),', '']],
    kept: (gates) =>
      !everAdvances(
        live(
          { minutes: PROVEN, shadow: (n) => at(n, 'shadow', 500), primary: (n) => at(n, 'primary', 500_000) },
          gates,
        ),
      ),
  },
  /** With nothing left on the primary its past is no control. */
  no_control: {
    promise: 'where nothing is left to compare with, a slower shadow is held and not rolled back',
    without: [[GUARDS, '!(share >= 1 && needsControl(metric))', 'true']],
    kept: (gates) => {
      const state = stateIn('full_100', { enteredAtMs: ENTERED * MINUTE_MS }, 'component');
      const shadow = (n: number) => at(n, 'shadow', 1_000, { latencyMs: 30 });
      return rolledBackAt(live({ minutes: 20, shadow, primary: () => null, over: { state } }, gates)) === null;
    },
  },
  /** A step up is judged by itself, … */
  last_run: {
    promise: 'a regression that stays below the limit is held, however long it lasts',
    without: [[GUARDS, '  beyond && !(', '  !(']],
    kept: (gates) =>
      rolledBackAt(
        live({ minutes: 60, shadow: failing(1_000, 6), primary: (n) => at(n, 'primary', 20_000) }, gates),
      ) === null,
  },
  /** … and while caches are cold only what none of them explains. */
  warm_up: {
    promise: 'a shadow that is half as slow again while its caches are cold stays',
    without: [[FOLD, 'minute < firstMinute + policy.warmUpMinutes', 'false']],
    kept: (gates) => {
      const shadow = (n: number) => at(n, 'shadow', 1_000, { latencyMs: n <= 5 ? 16 : 10 });
      return rolledBackAt(live({ minutes: 12, shadow }, gates)) === null;
    },
  },
  /** Old windows are no news. */
  freshness: {
    promise: 'a proven shadow does not advance on windows that ended four minutes ago',
    without: [[DATA, 'age !== null && age <= FRESH_MINUTES', 'true']],
    kept: (gates) => {
      const life = { shadow: (n: number) => at(n, 'shadow', 500), primary: (n: number) => at(n, 'primary', 50_000) };
      const until = (limit: number, of: (n: number) => MinuteWindow) => (n: number) => (n <= limit ? of(n) : null);
      const { verdicts } = live(
        { minutes: PROVEN + 5, shadow: until(PROVEN, life.shadow), primary: until(PROVEN, life.primary) },
        gates,
      );
      return verdicts[PROVEN - 1]!.verdict === 'advance' && verdicts.at(-1)!.verdict !== 'advance';
    },
  },
  /** What cannot be true is not counted. */
  possible_windows: {
    promise: 'more errors than operations are not counted',
    without: [[ARRIVED, 'const problem = impossible(bucketed);', 'const problem = null;']],
    kept: (gates) => live({ minutes: 8, shadow: failing(20, 25) }, gates).evidence.shadow.errors === 0,
  },
  /** A pause stops the way forward, … */
  pause_advances_nothing: {
    promise: 'a paused cutover stays where it is, however healthy',
    without: [[ADVANCE, '!state.paused', 'true']],
    kept: (gates) =>
      !everAdvances(
        live(
          {
            minutes: PROVEN,
            shadow: (n) => at(n, 'shadow', 500),
            primary: (n) => at(n, 'primary', 50_000),
            paused: true,
          },
          gates,
        ),
      ),
  },
  /** … never the way back. */
  pause_rolls_back: {
    promise: 'a paused cutover goes back all the same',
    without: [[JUDGE, 'const fired = [', 'const fired = input.state.paused ? [] : [']],
    kept: (gates) => rolledBackAt(live({ minutes: 5, shadow: failing(1_000, 300), paused: true }, gates)) !== null,
  },
  /** A minute that is not over is not looked at. */
  closed_minutes: {
    promise: 'the first seconds of a minute say nothing of it',
    without: [[ARRIVED, ' || minute >= openMinute', '']],
    kept: (gates) => {
      const open = at(2, 'shadow', 20, { errors: 20 });
      return (
        rolledBackAt(
          live(
            {
              minutes: 1,
              over: { parts: partsOf([at(1, 'primary', 1_000), at(1, 'shadow', 20), at(2, 'primary', 1_000), open]) },
            },
            gates,
          ),
        ) === null
      );
    },
  },
  /** A minute is folded once, however often its windows are handed in. */
  folded_once: {
    promise: 'windows that are handed in again are not counted again',
    without: [[ARRIVED, 'minute <= closedThrough || ', '']],
    kept: (gates) => live({ minutes: 9 }, gates).verdicts.at(-1)!.evidence.shadow.count === 180,
  },
  /** A limit in absolute figures must be broken in as many minutes as the policy says. */
  limit_minutes: {
    promise: 'a process that needs all of its memory for one minute rolls nothing back',
    without: [[ABSOLUTE, '{ length: policy.consecutiveFailures }', '{ length: 1 }']],
    kept: (gates) => {
      const memory = (n: number) => ({ memory: { [n === 5 ? 99 : 40]: 20 } });
      const shadow = (n: number) => ({ ...at(n, 'shadow', 20), ...memory(n) });
      return rolledBackAt(live({ minutes: 8, shadow, policy: { memoryMax: 0.9 } }, gates)) === null;
    },
  },
  /** Nobody goes back to a primary that breaks the limit alike. */
  limit_compared: {
    promise: 'nobody goes back to a primary that loses as many connections',
    without: [[ABSOLUTE, 'if (primary.count < COMPARABLE) return false;', 'return false;']],
    kept: (gates) => {
      const side = (name: 'primary' | 'shadow', count: number) => (n: number) => ({
        ...at(n, name, count, { errors: count / 10 }),
        drops: count / 10,
        told: count,
      });
      const life = { primary: side('primary', 1_000), shadow: side('shadow', 100) };
      return rolledBackAt(live({ minutes: 12, ...life, policy: { connectionDropsMax: 0.01 } }, gates)) === null;
    },
  },
  /** A limit whose figures nobody tells is not kept. */
  limit_figures: {
    promise: 'a proven shadow does not advance where nobody tells what is limited',
    without: [[ABSOLUTE, 'told?.(shadow, policy[limit]!) ?? []', '[]']],
    kept: (gates) =>
      !everAdvances(
        live(
          {
            minutes: PROVEN,
            shadow: (n) => at(n, 'shadow', 500),
            primary: (n) => at(n, 'primary', 50_000),
            policy: { memoryMax: 0.9, connectionDropsMax: 0.01 },
          },
          gates,
        ),
      ),
  },
};

describe.each(Object.entries(CONTROLS))('the rule %s', (_, { promise, without, kept }) => {
  it(`keeps its promise: ${promise}`, () => expect(kept(GATES)).toBe(true));
  it('is what keeps it: without the rule it is broken', async () =>
    expect(kept(await sourceMutant<Gates>([JUDGE, ABSOLUTE], without))).toBe(false));
});

describe('reads that processes took away from a shadow they saw fail', () => {
  const left = (count: number) => (n: number) => ({ ...at(n, 'primary', 1_000, { errors: 1 }), left: count });
  const quiet = (n: number) => at(n, 'shadow', 1);

  it('are no black hole, and hold with their own name', () => {
    const { verdicts } = live({ minutes: 20, shadow: quiet, primary: left(9) }, GATES);
    expect(verdicts.map(({ verdict }) => verdict)).not.toContain('rollback');
    expect(verdicts.at(-1)!.reasons).toContainEqual(
      expect.objectContaining({ code: 'left_reads', seen: 0.9, limit: 0.01 }),
    );
  });

  it('that nobody reports are missing, and hold (control)', () => {
    const { verdicts } = live({ minutes: 20, shadow: quiet }, GATES);
    expect(verdicts.at(-1)!.reasons.map(({ code }) => code)).toContain('black_hole');
    const told = live({ minutes: 20, shadow: quiet, primary: left(9) }, GATES).verdicts.at(-1)!;
    expect(told.reasons.map(({ code }) => code)).not.toContain('black_hole');
  });

  it('of a shadow that fails are rolled back for its failures', () => {
    const { verdicts } = live({ minutes: 3, shadow: failing(10, 10), primary: left(10) }, GATES);
    expect(verdicts[0]).toMatchObject({ verdict: 'rollback', reasons: [{ code: 'unavailable' }] });
  });

  it('cannot be more than there were', () => {
    expect(live({ minutes: 8, primary: left(1_001) }, GATES).evidence.primary.count).toBe(0);
  });
});
