/** The form of one declaration; what is wrong with it has a line for each problem, by the name of the cutover and the path in it. */

import type * as z from 'zod';
import { didYouMean, nearest } from '../core/base/nearest.ts';
import { CUTOVER_ID } from '../core/cutover/cutover.ts';
import { type CutoverForm, cutoverInput, DECLARED_KEYS } from './declarations.ts';
import { describe } from './problems.ts';

type Issue = z.core.$ZodIssue;
type Wrong = { issue: Issue; text: string };

const KINDS = ['table', 'component', 'service'];
const KINDS_OF_VALUES: Readonly<Record<string, string>> = { string: 'text', object: 'an object', array: 'a list' };

/**
 * The form where it is right, else everything that is wrong. A kind that there is not is taken for the one that was meant, so that
 * it hides nothing else.
 * @param place what stands for a name where the declaration has none
 */
export function readForm(declared: unknown, place: string): { form: CutoverForm } | { wrong: Wrong[] } {
  const result = cutoverInput.safeParse(declared);
  return result.success ? { form: result.data } : { wrong: wrongIn(result.error.issues, declared, place) };
}

function wrongIn(issues: readonly Issue[], declared: unknown, place: string): Wrong[] {
  const name = nameOf(declared) ?? place;
  const { kind } = (declared ?? {}) as { kind?: unknown };
  const meant = typeof kind === 'string' && !KINDS.includes(kind) ? nearest(kind, KINDS) : null;
  const rest = meant === null ? null : readForm({ ...(declared as object), kind: meant }, place);
  return [
    ...issues.flatMap((issue) => linesOf(issue, declared, name).map((text) => ({ issue, text }))),
    ...(rest && 'wrong' in rest ? rest.wrong : []),
  ];
}

function nameOf(declared: unknown): string | null {
  const { id } = (declared ?? {}) as { id?: unknown };
  return typeof id === 'string' && CUTOVER_ID.test(id) ? id : null;
}

function linesOf(issue: Issue, declared: unknown, name: string): string[] {
  const path = [name, ...issue.path].map(String).join('.');
  const value = issue.path.reduce<unknown>((inner, key) => (inner as Record<PropertyKey, unknown>)?.[key], declared);
  const has = value === undefined ? `${path} is missing` : `${path}: ${shown(value)}`;
  const choices = choicesOf(issue);
  if (choices !== null) {
    const meant = typeof value === 'string' ? didYouMean(value, choices) : '';
    return [`${has}${value === undefined ? ': it is' : ' is none of'} ${choices.join(', ')}.${meant}`];
  }
  if (issue.code === 'invalid_type') {
    const wanted = KINDS_OF_VALUES[issue.expected] ?? `a ${issue.expected}`;
    return [value === undefined ? has : `${has} is not ${wanted}`];
  }
  if ((issue.code === 'too_big' || issue.code === 'too_small') && typeof value === 'number')
    return [`${has} is not ${limitOf(issue)}`];
  if (issue.code === 'invalid_union' && value === undefined) return [has];
  if (issue.code === 'invalid_union') {
    const fitting = formOf(issue.errors, value);
    if (fitting)
      return fitting.flatMap((inner) => linesOf({ ...inner, path: [...issue.path, ...inner.path] }, declared, name));
  }
  return describe({ ...issue, path: [name, ...issue.path] }, DECLARED_KEYS);
}

/** What a value may be where a list of words says so. */
function choicesOf(issue: Issue): readonly string[] | null {
  if (issue.code === 'invalid_value') return issue.values.map(String);
  return issue.code === 'invalid_union' && issue.path[0] === 'kind' ? KINDS : null;
}

function limitOf(issue: z.core.$ZodIssueTooBig | z.core.$ZodIssueTooSmall): string {
  const { inclusive = true } = issue;
  if (issue.code === 'too_big') return `${inclusive ? 'at most' : 'below'} ${issue.maximum}`;
  return `${inclusive ? 'at least' : 'above'} ${issue.minimum}`;
}

/** Of several forms the one that the value was meant for, by its type; null when that is not clear. */
function formOf(forms: readonly (readonly Issue[])[], value: unknown): readonly Issue[] | null {
  const isAnother = ({ code, path }: Issue) =>
    path.length === 0 && (code === 'invalid_type' || (code === 'invalid_value' && typeof value === 'object'));
  const left = forms.filter((form) => !form.some(isAnother));
  return left.length === 1 ? left[0]! : null;
}

const LONGEST = 60;

function shown(value: unknown): string {
  if (typeof value === 'string') return `'${value.slice(0, LONGEST)}'`;
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}
