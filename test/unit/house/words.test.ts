/** One word for one idea: names that the glossary (lib/README.md) has replaced do not come back. */

import { describe, expect, it } from 'vitest';
import { codeOf, readSources, type Source } from '../../helpers/imports.ts';

/** What the field calls it, by the name that it must not have. */
const REPLACED: readonly [name: RegExp, word: string][] = [
  [/\bmates?\b/i, 'peer'],
  [/\binLanes\b/, 'concurrency limit'],
  [/\baskUntilAway\b/, 'short circuit'],
  [/\btogether\(/, 'batching loader'],
  [/\bsabotage/i, 'fault, planted from outside'],
  [/\bkeyAside\b/, 'foreign key set aside'],
];

const replaced = ({ file, text }: Source): string[] =>
  REPLACED.filter(([name]) => name.test(codeOf(text))).map(([name, word]) => `${file}: ${name} is called ${word}`);

describe('words', () => {
  it('of the glossary are the only ones for their ideas', () => {
    expect(readSources(['lib', 'functions']).flatMap(replaced)).toEqual([]);
  });

  it.each(['for (const mate of mates) {}', 'await inLanes(ids, 3, work)', 'const read = together(20, ask);'])(
    'notice %s',
    (text) => {
      expect(replaced({ file: 'lib/flows/x.ts', text })).toHaveLength(1);
    },
  );
});
