/** The rules that make verdicts safe, by name: a test leaves one out and must see what it is there for. */

export const GATE_RULES = [
  /** The minute that is judged is not part of what it is compared with. */
  'earlier_baseline',
  /** Nothing is proven in fewer bad minutes than the policy says. */
  'bad_minutes',
  /** Bad minutes alone are no proof. */
  'proof',
  /** One minute counts for at most 1/2.8 of a proof. */
  'cap',
  /** What fails half of its operations is not waited for. */
  'floors',
  /** Nobody goes back to a side that fails alike. */
  'failing_alike',
  /** Failures that come in clusters on the primary are no proof against the shadow one by one. */
  'clusters',
  /** A shadow that gets far fewer reads than are sent to it swallows them. */
  'black_hole',
  /** Old windows are no news. */
  'freshness',
  /** What cannot be true is not counted. */
  'possible_windows',
  /** A pause stops the way forward, never the way back. */
  'pause_advances_nothing',
  'pause_rolls_back',
  /** A minute that is not over is not looked at. */
  'closed_minutes',
  /** A minute is folded once, however often its windows are handed in. */
  'folded_once',
  /** A limit in absolute figures must be broken in as many minutes as the policy says. */
  'limit_minutes',
  /** Nobody goes back to a primary that breaks the limit alike. */
  'limit_compared',
  /** A limit whose figures nobody tells is not kept. */
  'limit_figures',
] as const;
export type GateRule = (typeof GATE_RULES)[number];

export type WithoutRules = {
  /** For negative controls in tests only: leaves rules out. */
  omit?: readonly GateRule[] | undefined;
};

export const keeps = ({ omit }: WithoutRules, rule: GateRule): boolean => omit === undefined || !omit.includes(rule);
