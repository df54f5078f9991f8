/**
 * Nothing that is deployed can be told to break a rule. Negative controls change it from outside: test/helpers/sql-plants.ts for
 * generated SQL, test/helpers/source-mutant.ts for everything else. Both refuse a change that does not fit what is there.
 */

import { describe, expect, it } from 'vitest';
import { readSources, type Source } from '../../helpers/imports.ts';
import { sourceMutant } from '../../helpers/source-mutant.ts';

/** Names of switches that were there once, what leads to one, and who would turn it. */
const SWITCH =
  /sabotage|\bkeeps\(|\bomit(?:ted)? ===|\bomit\??:|negative control|\bonly tests\b|\btests only\b|\btest\.breakpoint\b/i;

const switches = ({ file, text }: Source): string[] =>
  text.split('\n').flatMap((line, n) => (SWITCH.test(line) ? [`${file}:${n + 1}: ${line.trim()}`] : []));

describe('a switch for tests', () => {
  it('is in nothing that is deployed', () => {
    expect(readSources(['lib', 'functions']).flatMap(switches)).toEqual([]);
  });

  it.each([
    "if (keeps(context, 'proof') && logE < needed) return;",
    "const pause = sabotage.breakpoints ? 'test.breakpoint' : '';",
    "const claim = flow.omit === 'lock' ? '' : lock(flow);",
    "omit?: readonly ('version-condition' | 'audit-condition')[];",
    '/** @param broken for the negative control of the tests */',
    '/** In tests only: leaves rules out. */',
    "return ` PERFORM test.breakpoint('claimed');`;",
  ])('is noticed: %s', (text) => {
    expect(switches({ file: 'lib/core/x.ts', text })).toHaveLength(1);
  });
});

describe('a mutant of the source', () => {
  const FILE = 'lib/core/base/nearest.ts';

  it('is refused where its fault fits no place, or more than one', async () => {
    await expect(sourceMutant([FILE], [[FILE, 'no such line', '']])).rejects.toThrow(/has 0 places for no such line/);
    await expect(sourceMutant([FILE], [[FILE, 'const', 'let']])).rejects.toThrow(/has \d+ places for const/);
  });

  it('is refused where its fault is in a file that is not part of it', async () => {
    const elsewhere = sourceMutant([FILE], [['lib/core/gates/evaluate.ts', 'const', 'let']]);
    await expect(elsewhere).rejects.toThrow(/lib\/core\/gates\/evaluate\.ts is in nothing that .* import/);
  });
});
