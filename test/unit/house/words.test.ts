/** One word for one idea, and plain words: names that the glossary (lib/README.md) has replaced do not come back. */

import { describe, expect, it } from 'vitest';
import { codeOf, proseOf, readSources, type Source } from '../../helpers/imports.ts';

/** What the field calls it, by the name that it must not have. */
const REPLACED: readonly [name: RegExp, word: string][] = [
  [/\bmates?\b/i, 'peer'],
  [/\binLanes\b/, 'concurrency limit'],
  [/\baskUntilAway\b/, 'short circuit'],
  [/\btogether\(/, 'batching loader'],
  [/\bsabotage/i, 'fault, planted from outside'],
  [/\bkeyAside\b/, 'foreign key set aside'],
  [/\b(PgGateway|postgresGateway)\b/, 'connection: the gateway is the one for HTTP'],
];

/** Words without a subject behind them, and old ones, with what is written in their place. */
const NOT_PLAIN: readonly [word: RegExp, plain: string][] = [
  [/\bwhoever\b/i, 'the subject itself: the caller, the writer, the reader'],
  [/\bnobody\b/i, 'what is not done, or which one does not do it'],
  [/\banew\b/i, 'again'],
  [/\bmend(s|ed|ing)?\b/i, 'repair, or correct'],
  [/\bof before\b/i, 'earlier'],
  [/\btold\b/i, 'what is known, given or asked'],
];

const SOURCES = readSources(['lib', 'functions']);

const unplain = ({ file, text }: Source): string[] =>
  proseOf(text).flatMap((prose) =>
    NOT_PLAIN.filter(([word]) => word.test(prose)).map(([word, plain]) => `${file}: ${word}, say ${plain}: ${prose}`),
  );

const replaced = ({ file, text }: Source): string[] =>
  REPLACED.filter(([name]) => name.test(codeOf(text))).map(([name, word]) => `${file}: ${name} is called ${word}`);

describe('words', () => {
  it('of the glossary are the only ones for their ideas', () => {
    expect(SOURCES.flatMap(replaced)).toEqual([]);
  });

  it.each(['for (const mate of mates) {}', 'await inLanes(ids, 3, work)', 'const read = together(20, ask);'])(
    'notice %s',
    (text) => {
      expect(replaced({ file: 'lib/flows/x.ts', text })).toHaveLength(1);
    },
  );

  it('of comments and messages are plain', () => {
    expect(SOURCES.flatMap(unplain)).toEqual([]);
  });

  it.each([
    '/** Whoever asks waits. */',
    '// What nobody reads.',
    "throw new Error('Mend the row.');",
    "const text = 'The keys are written anew.';",
    "const text = 'evidence of before';",
    '/** Called with what it was told. */',
  ])('notice that this is not plain: %s', (text) => {
    expect(unplain({ file: 'lib/flows/x.ts', text })).toHaveLength(1);
  });

  it('take no name of a value for a word, and no comment of generated SQL', () => {
    const text = `const { told } = window;\nconst by = 'nobody';\nconst sql = \`SELECT \${told}\n  -- Whoever waits.\n  FROM t\`;`;
    expect(unplain({ file: 'lib/core/x.ts', text })).toEqual([]);
  });
});
