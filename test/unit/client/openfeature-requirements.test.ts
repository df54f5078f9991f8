/**
 * The numbered requirements of the OpenFeature specification (sections 1, 2 and 5, version 0.8) that apply to a provider of the
 * server SDK: what it does itself, and what a client answers or tells by what it says. Each is named by a test.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const APPLY: Readonly<Record<string, string>> = {
  '1.4.6': 'variant of the provider',
  '1.4.7': 'reason of the provider',
  '1.4.8': 'error code',
  '1.4.9': 'reason ERROR',
  '1.4.10': 'never throws, the default',
  '1.4.13': 'error message',
  '1.4.14': 'metadata of the provider',
  '1.6.1': 'shutdown reaches it',
  '1.7.1': 'status',
  '1.7.3': 'READY',
  '1.7.4': 'ERROR',
  '1.7.6': 'NOT_READY: the default',
  '2.1.1': 'name',
  '2.2.1': 'resolves',
  '2.2.2.1': 'by type',
  '2.2.3': 'value',
  '2.2.4': 'variant',
  '2.2.5': 'reason',
  '2.2.6': 'no error code when all is well',
  '2.2.7': 'an error code otherwise',
  '2.2.8.1': 'generic',
  '2.2.9': 'metadata',
  '2.2.10': 'plain metadata',
  '2.3.1': 'hooks may be there',
  '2.3.2': 'no error message when all is well',
  '2.3.3': 'an error message otherwise',
  '2.4.1': 'initialize',
  '2.4.2.1': 'initialize fails',
  '2.5.1': 'shutdown',
  '2.5.2': 'uninitialised afterwards',
  '2.7.1': 'tracking',
  '5.1.1': 'events',
  '5.1.2': 'handlers run',
  '5.1.3': 'those of others do not',
  '5.1.4': 'message of an error',
  '5.2.3': 'events carry its name',
  '5.2.4': 'handlers get details',
  '5.2.6': 'handlers outlast a change of provider',
  '5.3.1': 'READY runs handlers',
  '5.3.2': 'ERROR runs handlers',
  '5.3.3': 'late handlers run at once',
  '5.3.5': 'status before handlers',
};

/** The rest of sections 1.7, 2 and 5, and why it does not apply. */
const APART: Readonly<Record<string, string>> = {
  '1.7.2.1': 'client side only',
  '1.7.5': 'none of its errors is final',
  '1.7.7': 'none of its errors is final',
  '2.6.1': 'client side only',
  '5.1.5': "it emits no error itself; that of a failed start is the SDK's, without a code",
  '5.2.1': "the SDK's own",
  '5.2.2': "the SDK's own",
  '5.2.5': "the SDK's own",
  '5.2.7': "the SDK's own",
  '5.3.4.1': 'client side only',
  '5.3.4.2': 'client side only',
  '5.3.4.3': 'client side only',
};

const TESTS = readFileSync(join(import.meta.dirname, 'openfeature.test.ts'), 'utf8');

/** Numbers in names of tests; `2.2.3–2.2.6` are four. */
function named(source: string): Set<string> {
  const names = [...source.matchAll(/'((?:\d+(?:\.\d+)+(?:–|, )?)+): /g)].map(([, numbers]) => numbers!);
  return new Set(names.flatMap((numbers) => numbers.split(', ').flatMap(range)));
}

function range(numbers: string): string[] {
  const [first, last = first] = numbers.split('–') as [string, string?];
  const parent = first.slice(0, first.lastIndexOf('.'));
  const [from, to] = [first, last].map((number) => Number(number.slice(number.lastIndexOf('.') + 1))) as [
    number,
    number,
  ];
  return Array.from({ length: to - from + 1 }, (_, n) => `${parent}.${from + n}`);
}

const missing = (source: string) => Object.keys(APPLY).filter((number) => !named(source).has(number));

describe('the requirements of OpenFeature', () => {
  it('that apply to a provider are each named by a test', () => {
    const all = Object.keys(APPLY).length;
    console.log(`OpenFeature: ${all - missing(TESTS).length} of ${all} requirements that apply are tested.`);
    expect(missing(TESTS)).toEqual([]);
    expect([...named(TESTS)].filter((number) => !(number in APPLY))).toEqual([]);
    expect(Object.keys(APART).filter((number) => number in APPLY)).toEqual([]);
  });

  it('negative control: one that no test names is missed', () => {
    expect(missing(TESTS.replace('2.4.2.1, ', ''))).toEqual(['2.4.2.1']);
    expect(missing(TESTS.replace('2.2.3–2.2.6', '2.2.3–2.2.5'))).toEqual(['2.2.6']);
  });
});
