/**
 * A criterion: evidence of the user's own that a cutover must meet, declared by name. An alarm of CloudWatch, an invariant in SQL
 * over both tables, an HTTP check, or a metric that the application records with its operations. The tick observes it; what follows from that is in `holds/criteria.ts`. Types only.
 */

/** What is observed. */
type CriterionSource =
  /** ARN of a metric alarm or a composite one: it must be in OK. */
  | { alarm: string }
  /** Two queries whose rows must be equal, `{primary}` and `{shadow}` standing for the tables. */
  | { equal: { primary: string; shadow: string } }
  /** One query that must have no rows. */
  | { empty: string }
  /** Address that is asked with a signed POST: it must answer with a status 2xx. */
  | { http: string; timeoutMs: number; privateHosts: readonly string[] }
  /** A figure that the application records with its operations: the mean of the shadow's. */
  | ({ value: string } & MetricRule)
  /** A mark that it sets on some of them: the share of the shadow's operations. */
  | ({ flag: string } & MetricRule);

/** A limit of its own, or so many times what the primary has in the same minutes. */
export type MetricLimit = number | { ofPrimary: number };

/** One of the two limits. */
export type MetricRule = {
  atLeast?: MetricLimit | undefined;
  atMost?: MetricLimit | undefined;
  /** Fewest operations of a side before its figure counts. */
  minSamples: number;
  /** The last so many minutes, of those since the stage was entered. */
  windowMinutes: number;
};

/**
 * What one side recorded of one metric in one minute. `value.NAME`: operations, sum and sum of squares of the figure.
 * `flag.NAME`: how often the mark was set, as `n`. `flags`: operations that could have been marked.
 */
export type MetricSum = {
  minute: number;
  side: 'primary' | 'shadow';
  metric: string;
  n: number;
  sum: number;
  squares: number;
};

export type Criterion = CriterionSource & {
  /** `^[a-z][a-z0-9_]{0,39}$`, one of its kind within a cutover. */
  name: string;
  /** While it fails nothing advances; with `rollback` the cutover goes back, too. */
  onFailure: 'hold' | 'rollback';
  /** How often it is observed. */
  everyMinutes: number;
};

/** `unclear`: no data, no answer, or nothing that can be compared yet. It is no failure, and never good news. */
type Answer = 'passes' | 'fails' | 'unclear';

/** What the tick saw of a criterion. It is stored with the verdict. */
export type Observation = {
  /** When it was asked. */
  atMs: number;
  /** Of the state at that moment: an earlier run, or the other direction, says nothing. */
  epoch: number;
  answer: Answer;
  /** Since when the answer is this one. */
  sinceMs: number;
  seen: number | string | null;
  /** What was seen, in a sentence. */
  says: string;
};

/** By the name of the criterion. */
export type Observations = Readonly<Record<string, Observation>>;

/** What a source has answered, before it is an observation. `sinceMs` where the source itself knows it. */
export type Finding = Pick<Observation, 'answer' | 'seen' | 'says'> & { sinceMs?: number };

export type AlarmReading =
  | { state: 'OK' | 'ALARM' | 'INSUFFICIENT_DATA'; sinceMs: number; reason: string }
  /** It could not be read. */
  | { problem: string };

/** A row of a query, as texts. */
export type InvariantRow = readonly (string | null)[];

export type InvariantReading =
  /** Of two queries: rows of the longer one, how many differ, and some that only one of them has. */
  | {
      kind: 'compared';
      rows: number;
      differing: number;
      primary: readonly InvariantRow[];
      shadow: readonly InvariantRow[];
    }
  /** Of the one that must have no rows. */
  | { kind: 'found'; rows: number; samples: readonly InvariantRow[] }
  /** Nothing can be compared yet. */
  | { kind: 'unready'; why: string }
  | { kind: 'too_slow'; limitMs: number }
  | { kind: 'too_many'; limit: number }
  /** Postgres does not take the query. */
  | { kind: 'refused'; why: string };
