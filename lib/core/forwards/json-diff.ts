/**
 * Where two answers differ: the order of keys means nothing, the order of lists does. Rules say what may differ. Bounded in
 * nodes, depth and differences, because answers are as large as other people make them. What was not looked at is listed,
 * and never taken for equal.
 */

import { type Comparable, comparable, type Fields } from './comparable.ts';

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

/** What could not be compared: where it is, and what. */
export type Unseen = { path: string; what: string };

export type Diff = {
  /** One of each path and kind, at most `MAX_DIFFERENCES`. */
  differences: readonly Difference[];
  /** Both are equal only where this is empty, too. At most twenty. */
  unseen: readonly Unseen[];
};

type Step = string | number;
type Compiled = { steps: readonly string[]; tolerance?: number; unordered?: boolean };
export type CompiledRules = readonly Compiled[];

/** Where there are as many, there may be more. */
export const MAX_DIFFERENCES = 100;
const MAX_UNSEEN = 20;
const BYTES_OF_NODE = 100;
/** What two that are the same cost of what two others do. A list may have any number of holes. */
const SAME = 1 / 20;
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
  const walk: Walk = { rules, path: [], above: [], nodes: 0, differences: new Map(), unseen: new Map() };
  try {
    compare(walk, primary, shadow);
  } catch {
    miss(walk, 'object that throws');
  }
  if (walk.nodes > MAX_NODES) walk.unseen.set('', { path: '$', what: TOO_LARGE });
  return { differences: [...walk.differences.values()], unseen: [...walk.unseen.values()] };
}

type Walk = {
  rules: CompiledRules;
  path: Step[];
  /** Both objects at every step of the path. */
  above: (readonly [unknown, unknown])[];
  nodes: number;
  differences: Map<string, Difference>;
  unseen: Map<string, Unseen>;
};

function compare(walk: Walk, before: unknown, after: unknown): void {
  const isSameAlready = Object.is(before, after);
  walk.nodes += isSameAlready ? SAME : 1;
  if (isSameAlready || walk.nodes > MAX_NODES) return;
  const primary = comparable(before);
  const shadow = comparable(after);
  const again = typeof before === 'object' && walk.above.find(([a, b]) => a === before || b === after);
  if (walk.path.length > MAX_DEPTH) miss(walk, TOO_LARGE);
  else if (primary.type !== shadow.type) differ(walk, kindOfTypes(primary, shadow), primary, shadow);
  else if (!again) {
    walk.above.push([before, after]);
    compareInside(walk, primary, shadow);
    walk.above.pop();
    const hidden = primary.hidden ?? shadow.hidden ?? (primary.of === shadow.of ? undefined : 'another class');
    if (hidden) miss(walk, hidden);
  }
  // Unless both lead back to the same place.
  else if (again[0] !== before || again[1] !== after) miss(walk, 'cycle');
}

const TOO_LARGE = 'more than is compared';

function compareInside(walk: Walk, primary: Comparable, shadow: Comparable): void {
  if (primary.elements && shadow.elements) compareElements(walk, primary, shadow);
  else if (primary.list && shadow.list) compareLists(walk, primary, shadow);
  else if (!primary.fields && !isSame(primary.value, shadow.value) && !isTolerated(walk, primary.value, shadow.value))
    differ(walk, 'value', primary, shadow);
  if (primary.fields || shadow.fields) compareFields(walk, primary.fields ?? {}, shadow.fields ?? {});
}

/** −0 is 0, as in JSON; NaN is itself. */
const isSame = (a: unknown, b: unknown) => a === b || Object.is(a, b);

function compareFields(walk: Walk, primary: Fields, shadow: Fields): void {
  for (const name of Object.keys(primary)) inside(walk, name, primary, shadow);
  for (const name of Object.keys(shadow)) if (!Object.hasOwn(primary, name)) inside(walk, name, primary, shadow);
}

function compareElements(walk: Walk, primary: Comparable, shadow: Comparable): void {
  const [a, b] = [primary.elements!, shadow.elements!];
  walk.nodes += a.length / BYTES_OF_NODE;
  let same = 0;
  if (walk.nodes <= MAX_NODES) while (same < a.length && isSame(a[same], b[same])) same += 1;
  if (a.length !== b.length) differ(walk, 'length', primary, shadow);
  else if (walk.nodes <= MAX_NODES && same < a.length) differ(walk, 'value', primary, shadow);
}

function compareLists(walk: Walk, primary: Comparable, shadow: Comparable): void {
  const [a, b] = [primary.list!, shadow.list!];
  if (a.length !== b.length) differ(walk, 'length', primary, shadow);
  const sorted = primary.unordered || walk.rules.some((rule) => rule.unordered && matches(rule.steps, walk.path));
  const shared = Math.min(a.length, b.length);
  // Sorting looks at every place, also where there is nothing.
  if (sorted && Math.max(a.length, b.length) > MAX_NODES) walk.nodes = MAX_NODES + 1;
  const [before, after] = sorted && walk.nodes <= MAX_NODES ? [inOrder(walk, a), inOrder(walk, b)] : [a, b];
  for (let place = 0; place < shared && walk.nodes <= MAX_NODES; place += 1) inside(walk, place, before, after);
}

function inside(walk: Walk, step: Step, primary: Fields | readonly unknown[], shadow: typeof primary): void {
  walk.path.push(step);
  try {
    compare(walk, own(primary, step), own(shadow, step));
  } catch {
    miss(walk, 'object that throws');
  }
  walk.path.pop();
}

/** Not what every object has under the name 'constructor'. */
const own = (of: Fields | readonly unknown[], step: Step) => (Object.hasOwn(of, step) ? of[step as never] : undefined);

const inOrder = (walk: Walk, list: readonly unknown[]) =>
  list
    .map((entry) => [orderOf(walk, entry), entry] as const)
    .sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([, entry]) => entry);

/** The same text for what is the same: it says which entries of two lists are compared with each other, and no more. */
function orderOf(walk: Walk, entry: unknown): string {
  walk.nodes += 1;
  if (walk.nodes > MAX_NODES) return '';
  const { type, value, list, fields = {}, elements } = comparable(entry);
  if (list || elements) return `${type} [${Array.from(list ?? elements!, (each) => orderOf(walk, each))}]`;
  const names = Object.keys(fields).sort();
  return `${type} ${String(value)} {${names.map((name) => `${name}: ${orderOf(walk, fields[name])}`)}}`;
}

function kindOfTypes(primary: Comparable, shadow: Comparable): DifferenceKind {
  if (primary.type === 'undefined') return 'added';
  return shadow.type === 'undefined' ? 'missing' : 'type';
}

function isTolerated(walk: Walk, primary: unknown, shadow: unknown): boolean {
  if (typeof primary !== 'number' && typeof primary !== 'bigint') return false;
  const by = Math.abs(Number(primary) - Number(shadow));
  return walk.rules.some(
    (rule) => rule.tolerance !== undefined && by <= rule.tolerance && matches(rule.steps, walk.path),
  );
}

function differ(walk: Walk, kind: DifferenceKind, primary: Comparable, shadow: Comparable): void {
  note(walk, walk.differences, MAX_DIFFERENCES, (path) => {
    return [kind, { path, kind, primary: shown(primary), shadow: shown(shadow) }];
  });
}

const miss = (walk: Walk, what: string) => note(walk, walk.unseen, MAX_UNSEEN, (path) => [what, { path, what }]);

function note<Of>(walk: Walk, notes: Map<string, Of>, most: number, of: (path: string) => [string, Of]): void {
  if (notes.size >= most || walk.rules.some((rule) => isIgnored(rule, walk.path))) return;
  const path = textOf(walk.path);
  const [name, one] = of(path);
  if (!notes.has(`${path} ${name}`)) notes.set(`${path} ${name}`, one);
}

const shown = ({ value, list, fields, elements, hidden }: Comparable): unknown =>
  list ?? elements ?? fields ?? (hidden === undefined ? value : Symbol(hidden));

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
