/**
 * Mismatches of both sides, grouped by what differs, with few redacted samples of each. A sample shows the shape of a
 * value and never the value, unless the application asked for values. Names of fields are shown, but for names that look
 * like somebody's data.
 */

import type { Difference } from '../core/forwards/json-diff.ts';

export type MismatchSample = {
  atMs: number;
  differences: readonly { path: string; kind: string; primary: string; shadow: string }[];
  /** Only where the application opted in to values. */
  key?: string;
};

/** `failure`: one side failed and the other did not, or both in another way. `timeout`: no answer within the deadline. */
export type MismatchKind = 'difference' | 'failure' | 'timeout';

export type MismatchGroup = {
  cutover: string;
  operation: string;
  kind: MismatchKind;
  /** What differs: sorted paths with their kinds. */
  paths: readonly string[];
  count: number;
  firstSeenMs: number;
  lastSeenMs: number;
  samples: readonly MismatchSample[];
};

type Mismatch = {
  cutover: string;
  operation: string;
  kind: MismatchKind;
  differences: readonly Difference[];
  atMs: number;
  key?: string | null;
};

export type MismatchGroups = {
  add(mismatch: Mismatch): void;
  /** The most frequent first. */
  list(cutover?: string): readonly MismatchGroup[];
  /** Mismatches of groups that found no place any more. */
  ungrouped(): number;
};

const MAX_GROUPS = 50;
const SAMPLES_PER_GROUP = 3;
const MAX_PATHS = 10;
const MAX_PATH_CHARACTERS = 120;
const MAX_VALUE_CHARACTERS = 60;

type Kept = Omit<MismatchGroup, 'samples'> & { samples: MismatchSample[] };

export function mismatchGroups(options: { values: boolean }): MismatchGroups {
  const groups = new Map<string, Kept>();
  let ungrouped = 0;

  function groupOf(mismatch: Mismatch): Kept | null {
    const { cutover, operation, kind, atMs } = mismatch;
    const paths = pathsOf(mismatch.differences, options.values);
    const name = [cutover, operation, kind, ...paths].join('\n');
    const known = groups.get(name);
    if (known || groups.size >= MAX_GROUPS) return known ?? null;
    const made = { cutover, operation, kind, paths, count: 0, firstSeenMs: atMs, lastSeenMs: atMs, samples: [] };
    groups.set(name, made);
    return made;
  }

  return {
    add(mismatch) {
      const group = groupOf(mismatch);
      if (!group) {
        ungrouped += 1;
        return;
      }
      group.count += 1;
      group.lastSeenMs = mismatch.atMs;
      if (group.samples.length < SAMPLES_PER_GROUP) group.samples.push(sampleOf(mismatch, options.values));
    },
    list: (cutover) =>
      [...groups.values()]
        .filter((group) => cutover === undefined || group.cutover === cutover)
        .sort((a, b) => b.count - a.count)
        .map((group) => ({ ...group, samples: [...group.samples] })),
    ungrouped: () => ungrouped,
  };
}

function pathsOf(differences: readonly Difference[], values: boolean): string[] {
  const named = differences.map(({ path, kind }) => `${values ? path : redactPath(path)}: ${kind}`);
  return [...new Set(named)].sort().slice(0, MAX_PATHS);
}

function sampleOf({ atMs, key, differences }: Mismatch, values: boolean): MismatchSample {
  const shown = differences.slice(0, MAX_PATHS).map(({ path, kind, primary, shadow }) => ({
    path: values ? path : redactPath(path),
    kind,
    primary: values ? textOfValue(primary) : shapeOf(primary),
    shadow: values ? textOfValue(shadow) : shapeOf(shadow),
  }));
  return { atMs, differences: shown, ...(values && key ? { key } : {}) };
}

/** A step that is no plain name of a field, or holds a number such as an id, may be somebody's data. */
export function redactPath(path: string): string {
  const steps = path.split(/\.|(?=\[\*\])/).map((step) => {
    if (step === '$' || step === '[*]') return step;
    return /^[A-Za-z_$][\w$-]{0,39}$/.test(step) && !/\d{3}/.test(step) ? step : '*';
  });
  return steps.join('.').replaceAll('.[*]', '[*]').slice(0, MAX_PATH_CHARACTERS);
}

/** The shape of a value: enough to see what kind of difference it is. */
function shapeOf(value: unknown): string {
  if (value === undefined) return 'missing';
  if (value === null) return 'null';
  if (typeof value === 'symbol') return value.description ?? 'symbol';
  if (ArrayBuffer.isView(value)) return `bytes(${value.byteLength})`;
  if (typeof value === 'string') return `text(${value.length})`;
  if (Array.isArray(value)) return `list(${value.length})`;
  if (typeof value === 'object') return `object(${Object.keys(value).length})`;
  return typeof value;
}

function textOfValue(value: unknown): string {
  if (ArrayBuffer.isView(value)) return shapeOf(value);
  try {
    return (JSON.stringify(value) ?? shapeOf(value)).slice(0, MAX_VALUE_CHARACTERS);
  } catch {
    return shapeOf(value);
  }
}
