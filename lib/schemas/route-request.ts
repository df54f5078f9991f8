/**
 * Routing requests over HTTP. Checked by hand: routing answers other programs' requests, so its function must start fast,
 * and a validation library is four times the size of the rest of it.
 */

import { CrossfadeError } from '../core/base/errors.ts';
import { didYouMean } from '../core/base/nearest.ts';
import { CUTOVER_ID } from '../core/cutover/cutover.ts';
import type { Input } from './input.ts';

export type RouteRequestBody = {
  cutover: string;
  key?: string;
  operation?: string;
  groups?: readonly string[];
  environment?: string;
};

const OPERATION = /^[a-z][a-z0-9_.-]{0,39}$/;
const MAX_GROUPS = 50;
const MAX_BATCH = 1_000;

const text = (maxLength: number) => ({ type: 'string', minLength: 1, maxLength });

/** What RULES hold, for the description of the API. */
const PROPERTIES = {
  cutover: { type: 'string', pattern: CUTOVER_ID.source },
  key: text(1_024),
  operation: { type: 'string', pattern: OPERATION.source },
  groups: { type: 'array', maxItems: MAX_GROUPS, items: text(100) },
  environment: text(100),
} satisfies Record<keyof RouteRequestBody, object>;
const isText = (value: unknown, max: number): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= max && value.isWellFormed() && !value.includes('\0');

type Rule = { holds(value: unknown): boolean; says: string };

const RULES: Readonly<Record<keyof RouteRequestBody, Rule>> = {
  cutover: {
    holds: (value) => typeof value === 'string' && CUTOVER_ID.test(value),
    says: 'must be the id of a cutover',
  },
  key: {
    holds: (value) => value === undefined || isText(value, 1_024),
    says: 'must be well-formed text of 1 to 1024 characters',
  },
  operation: {
    holds: (value) => value === undefined || (typeof value === 'string' && OPERATION.test(value)),
    says: 'must be a lower-case name of at most 40 characters',
  },
  groups: {
    holds: (value) =>
      value === undefined ||
      (Array.isArray(value) && value.length <= MAX_GROUPS && value.every((group) => isText(group, 100))),
    says: `must be a list of at most ${MAX_GROUPS} texts of 1 to 100 characters`,
  },
  environment: {
    holds: (value) => value === undefined || isText(value, 100),
    says: 'must be well-formed text of 1 to 100 characters',
  },
};
const NAMES = Object.keys(RULES) as (keyof RouteRequestBody)[];
const NAMES_IN_QUERY = NAMES.filter((name) => name !== 'cutover');

/** The cutover in the path. @throws CrossfadeError `invalid_input` */
export function readRoutedCutover(id: string | undefined): string {
  if (!RULES.cutover.holds(id)) throw refused('invalid_input', [`cutover: ${RULES.cutover.says}`]);
  return id!;
}

const { cutover: _inPath, groups: _list, ...inQuery } = PROPERTIES;

/** Everything else in the query, groups separated by commas. */
export const routeQuery: Input<Omit<RouteRequestBody, 'cutover'>> = {
  schema: { type: 'object', properties: { ...inQuery, groups: { type: 'string' } } },
  read(value) {
    const { groups, ...query } = value as Record<string, string>;
    const wanted = { ...query, ...(groups ? { groups: groups.split(',') } : {}) };
    refuseProblems(problemsOf(wanted, '', NAMES_IN_QUERY));
    return wanted;
  },
};

/** `{ requests: […] }`, at most a thousand. */
export const routeBatch: Input<readonly RouteRequestBody[]> = {
  schema: {
    type: 'object',
    required: ['requests'],
    properties: {
      requests: {
        type: 'array',
        minItems: 1,
        maxItems: MAX_BATCH,
        items: { type: 'object', required: ['cutover'], properties: PROPERTIES, additionalProperties: false },
      },
    },
    additionalProperties: false,
  },
  read(body) {
    const { requests, ...others } = body as { requests?: unknown };
    const [unknown] = Object.keys(others);
    if (unknown !== undefined) throw refused('unknown_property', [`${unknown.slice(0, 64)} is not known here.`]);
    if (!Array.isArray(requests) || requests.length === 0 || requests.length > MAX_BATCH) {
      throw refused('invalid_input', [`requests: must be a list of 1 to ${MAX_BATCH} routing requests`]);
    }
    const problems = requests.map((request, index) => problemsOf(request, `requests.${index}.`, NAMES));
    refuseProblems({
      invalid: problems.flatMap((p) => p.invalid),
      unknown: problems.flatMap((p) => p.unknown),
    });
    return requests as RouteRequestBody[];
  },
};

type Problems = { invalid: string[]; unknown: string[] };

function problemsOf(value: unknown, path: string, names: readonly (keyof RouteRequestBody)[]): Problems {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    return { invalid: [`${path || 'the whole'}: must be an object`], unknown: [] };
  }
  const fields = value as Record<string, unknown>;
  return {
    invalid: names
      .filter((name) => !RULES[name].holds(fields[name]))
      .map((name) => `${path}${name}: ${RULES[name].says}`),
    unknown: Object.keys(fields)
      .filter((name) => !(names as readonly string[]).includes(name))
      .map((name) => `${path}${name.slice(0, 64)} is not known here.${didYouMean(name, names)}`),
  };
}

/** @throws CrossfadeError `invalid_input` or `unknown_property`, naming every problem with its path */
function refuseProblems({ invalid, unknown }: Problems): void {
  if (invalid.length + unknown.length > 0) {
    throw refused(invalid.length === 0 ? 'unknown_property' : 'invalid_input', [...invalid, ...unknown]);
  }
}

function refused(code: 'invalid_input' | 'unknown_property', problems: readonly string[]): CrossfadeError {
  return new CrossfadeError(code, `The routing request cannot be used: ${problems.slice(0, 20).join('; ')}.`, {
    details: { problems: problems.slice(0, 20) },
  });
}
