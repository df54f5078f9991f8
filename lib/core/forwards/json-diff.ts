/**
 * Where two answers differ, as JSON sees them: the order of keys means nothing, the order of lists does. Rules say what
 * may differ. Bounded in nodes, depth and differences, because answers are as large as other people make them; what was
 * not looked at is said, never taken as equal.
 */

import { canonicalJson } from '../base/canonical-json.ts';

/**
 * What may differ. A path is written `user.address.zip`, with `[*]` for any place in a list, `*` for any one name and
 * `**` for any number of steps; a path that is ignored takes everything beneath it along.
 * - text: ignored altogether;
 * - `tolerance`: numbers may differ by that much;
 * - `unordered`: a list whose order means nothing.
 * @example ['requestId', '**.updatedAt', { path: 'rows[*].score', tolerance: 1e-6 }, { path: 'tags', unordered: true }]
 */
export type IgnoreRule = string | { path: string; tolerance: number } | { path: string; unordered: true };

type DifferenceKind = 'value' | 'type' | 'missing' | 'added' | 'length';

export type Difference = {
  /** Places in lists are `[*]`, so that the same difference has one path. */
  path: string;
  kind: DifferenceKind;
  primary: unknown;
  shadow: unknown;
};

export type Diff = {
  /** At most twenty. */
  differences: readonly Difference[];
  /** False when the answers were too large or too deep to be compared whole. */
  complete: boolean;
};

type Step = string | number;
type Compiled = { steps: readonly string[]; tolerance?: number; unordered?: boolean };
export type CompiledRules = readonly Compiled[];

const MAX_DIFFERENCES = 20;
const MAX_NODES = 50_000;
const MAX_DEPTH = 64;

/** Rules once, for many comparisons. A rule that is none of the three forms is passed over. */
export function compileRules(rules: readonly IgnoreRule[]): CompiledRules {
  return rules.flatMap((rule) => {
    if (typeof rule === 'string') return [{ steps: stepsOf(rule) }];
    if (typeof rule?.path !== 'string') return [];
    return [{ ...rule, steps: stepsOf(rule.path) }];
  });
}

/** `$` and a leading dot are accepted, since people paste JSON paths. */
function stepsOf(path: string): string[] {
  return path
    .replace(/^\$?\.?/, '')
    .replace(/\[(\*|\d*)\]/g, '.[*]')
    .split('.')
    .filter((step) => step !== '');
}

/** @example diffJson({ a: 1 }, { a: 2 }).differences // [{ path: 'a', kind: 'value', primary: 1, shadow: 2 }] */
export function diffJson(primary: unknown, shadow: unknown, rules: CompiledRules = []): Diff {
  const walk: Walk = { rules, path: [], nodes: 0, complete: true, differences: [] };
  compare(walk, primary, shadow);
  return { differences: walk.differences, complete: walk.complete };
}

type Walk = {
  rules: CompiledRules;
  path: Step[];
  nodes: number;
  complete: boolean;
  differences: Difference[];
};

function compare(walk: Walk, before: unknown, after: unknown): void {
  if (Object.is(before, after)) return;
  walk.nodes += 1;
  if (walk.nodes > MAX_NODES || walk.path.length > MAX_DEPTH) {
    walk.complete = false;
    return;
  }
  const primary = plain(before);
  const shadow = plain(after);
  if (primary === shadow) return;
  const type = typeOf(primary);
  if (type !== typeOf(shadow)) differ(walk, kindOfTypes(primary, shadow), primary, shadow);
  else if (type === 'list') compareLists(walk, primary as unknown[], shadow as unknown[]);
  else if (type === 'object') compareObjects(walk, primary as Fields, shadow as Fields);
  else if (!(type === 'number' && isTolerated(walk, primary as number, shadow as number)))
    differ(walk, 'value', primary, shadow);
}

type Fields = Readonly<Record<string, unknown>>;

function compareObjects(walk: Walk, primary: Fields, shadow: Fields): void {
  for (const name of Object.keys(primary)) inside(walk, name, primary[name], own(shadow, name));
  for (const name of Object.keys(shadow)) {
    if (!Object.hasOwn(primary, name)) inside(walk, name, undefined, shadow[name]);
  }
}

/** Not what every object has under the name 'constructor'. */
const own = (fields: Fields, name: string) => (Object.hasOwn(fields, name) ? fields[name] : undefined);

function compareLists(walk: Walk, primary: readonly unknown[], shadow: readonly unknown[]): void {
  const sorted = walk.rules.some((rule) => rule.unordered && matches(rule.steps, walk.path));
  const [a, b] = sorted ? [inOrder(primary), inOrder(shadow)] : [primary, shadow];
  if (a.length !== b.length) differ(walk, 'length', a, b);
  const shared = Math.min(a.length, b.length);
  for (let place = 0; place < shared; place += 1) {
    if (!walk.complete || walk.differences.length >= MAX_DIFFERENCES) return;
    inside(walk, place, a[place], b[place]);
  }
}

function inside(walk: Walk, step: Step, primary: unknown, shadow: unknown): void {
  walk.path.push(step);
  compare(walk, primary, shadow);
  walk.path.pop();
}

const inOrder = (list: readonly unknown[]) =>
  list
    .map((entry) => [canonicalJson(plain(entry)), entry] as const)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([, entry]) => entry);

/** What JSON would make of a value; what JSON has no word for is a text that equals itself. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'number') return Number.isNaN(value) ? 'NaN' : value;
  if (typeof value === 'function' || typeof value === 'symbol') return undefined;
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Map) return [...value];
  if (value instanceof Set) return [...value];
  if (value instanceof Uint8Array) return [...value];
  const toJson = (value as { toJSON?: unknown }).toJSON;
  return typeof toJson === 'function' ? plain(toJson.call(value)) : value;
}

function typeOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'list' : typeof value;
}

function kindOfTypes(primary: unknown, shadow: unknown): DifferenceKind {
  if (primary === undefined) return 'added';
  return shadow === undefined ? 'missing' : 'type';
}

function isTolerated(walk: Walk, primary: number, shadow: number): boolean {
  return walk.rules.some(
    (rule) =>
      rule.tolerance !== undefined && Math.abs(primary - shadow) <= rule.tolerance && matches(rule.steps, walk.path),
  );
}

function differ(walk: Walk, kind: DifferenceKind, primary: unknown, shadow: unknown): void {
  if (walk.differences.length >= MAX_DIFFERENCES) return;
  if (walk.rules.some((rule) => isIgnored(rule, walk.path))) return;
  walk.differences.push({ path: textOf(walk.path), kind, primary, shadow });
}

/** Everything beneath an ignored path is ignored, too. */
function isIgnored({ steps, tolerance, unordered }: Compiled, path: readonly Step[]): boolean {
  if (tolerance !== undefined || unordered) return false;
  for (let length = 0; length <= path.length; length += 1) {
    if (matches(steps, path.slice(0, length))) return true;
  }
  return false;
}

function matches(steps: readonly string[], path: readonly Step[], step = 0, place = 0): boolean {
  if (step === steps.length) return place === path.length;
  const wanted = steps[step]!;
  if (wanted === '**') {
    for (let skip = place; skip <= path.length; skip += 1) if (matches(steps, path, step + 1, skip)) return true;
    return false;
  }
  if (place === path.length) return false;
  const here = path[place]!;
  const fits = wanted === '*' || (typeof here === 'number' ? wanted === '[*]' : wanted === here);
  return fits && matches(steps, path, step + 1, place + 1);
}

/** The whole answer is `$`. */
function textOf(path: readonly Step[]): string {
  const text = path.map((step) => (typeof step === 'number' ? '[*]' : `.${step}`)).join('');
  return text === '' ? '$' : text.replace(/^\./, '');
}
