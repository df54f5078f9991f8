/** What `createClient` is given is looked at once, where it is given: what cannot work would else be found by the first read. */

import { unusable } from '../routing/given.ts';
import type { ClientOptions } from './client-types.ts';

type Given = Readonly<Record<string, unknown>>;
type Rule = { takes: string; isGood(value: unknown): boolean };

const isObject = (value: unknown): value is Given => typeof value === 'object' && value !== null;
const isTime = (value: unknown) => typeof value === 'number' && value >= 0;
const isSide = (value: unknown) => value === undefined || value === 'primary' || value === 'shadow';
const interval: Rule = { takes: 'milliseconds, 0 or more', isGood: isTime };
const deadline: Rule = { takes: 'milliseconds above 0', isGood: (value) => isTime(value) && value !== 0 };

const RULES: Readonly<Record<string, Rule & { needed?: true }>> = {
  flags: {
    takes: 'a source of flags, such as agentSource({ … })',
    isGood: (value) => isObject(value) && typeof value.fetch === 'function',
    needed: true,
  },
  outcomes: {
    takes: 'a function that sends outcomes, such as httpSink({ … })',
    isGood: (value) => typeof value === 'function',
    needed: true,
  },
  defaults: {
    takes: "for each cutover 'primary' or 'shadow'",
    isGood: (value) => isObject(value) && Object.values(value).every(isSide),
  },
  maxFlagAgeMs: interval,
  flushIntervalMs: interval,
  flushDeadlineMs: deadline,
  readDeadlineMs: deadline,
  writeDeadlineMs: deadline,
};

/** @throws CrossfadeError `invalid_config` naming the option, what it takes and what it was given, of an object the names: some hold a token */
export function refuseUnusable(options: ClientOptions): void {
  const given = (isObject(options) ? options : {}) as Given;
  for (const [name, { takes, isGood, needed }] of Object.entries(RULES)) {
    const value = given[name];
    if (value === undefined ? needed : !isGood(value))
      throw unusable('createClient', name, takes, isObject(value) ? `{ ${Object.keys(value)} }` : value);
  }
}
