/** What is declared of an experiment: before it begins, so that it cannot be chosen to suit the figures. */

export type ExperimentDeclaration = {
  /** `^[a-z][a-z0-9_]{0,39}$`, one of its kind within a cutover. */
  id: string;
  /** Per cent of the keys in the shadow's cohort: that of the stage in which it runs. */
  share: number;
  /** Units of both cohorts together at which it is read, once. */
  size: number;
  /** Chance of a difference where there is none. */
  alpha: number;
  /** What a conversion and a value are, for people. */
  conversion: string;
  value: string;
};
