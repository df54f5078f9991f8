/** What tests plant in generated SQL: not a byte of it is in what is deployed, and each of it fits what is generated. */

import { describe, expect, it } from 'vitest';
import type { InlineMode } from '../../../lib/core/table/sql/inline.ts';
import { tableObjects } from '../../../lib/core/table/sql/table.ts';
import { seatDirections } from '../../helpers/seat-example.ts';
import {
  asGenerated,
  BREAKPOINTS,
  dawdling,
  type Edit,
  edited,
  HALTING,
  SQL_FAULTS,
} from '../../helpers/sql-plants.ts';

function generated(edits: readonly Edit[] = [], inline: InlineMode | null = null): string {
  const rewrites = edited(edits);
  const functions = tableObjects(seatDirections().forward, 'strict', inline).create.map((text) => {
    const name = /^CREATE FUNCTION crossfade\."(\w+)_seat"/.exec(text)?.[1] ?? '';
    return (rewrites[name] ?? asGenerated)(text);
  });
  return functions.join(';\n');
}

describe('the SQL that is deployed', () => {
  it.each([null, 'catch', 'abort'] as const)('holds no trace of a breakpoint or of dawdling (inline: %s)', (inline) => {
    expect(generated([], inline)).not.toMatch(/test\.|pg_sleep|\bnap\b/);
  });
});

describe('breakpoints', () => {
  it('only add to what is deployed: taken out again they leave it to the byte', () => {
    const without = generated(HALTING)
      .replaceAll(/ PERFORM test\.breakpoint\('[^']+'\);/g, '')
      .replace("\n  nap AS MATERIALIZED (SELECT test.breakpoint('apply: read') FROM (SELECT count(*) FROM src) s),", '')
      .replaceAll('FROM src, nap', 'FROM src')
      .replaceAll('USING src, nap', 'USING src');
    expect(without).toBe(generated());
  });

  it('are there exactly once each', () => {
    const named = [...generated(HALTING).matchAll(/test\.breakpoint\('([^']+)'\)/g)].map(([, name]) => name);
    expect(named.sort()).toEqual([...BREAKPOINTS].sort());
  });
});

describe('what is planted', () => {
  const planted: [string, readonly Edit[]][] = [
    ...Object.entries<readonly Edit[]>(SQL_FAULTS),
    ['dawdling', dawdling(0.4)],
  ];

  it.each(planted)('fits what is generated, and halts as well: %s', (name, edits) => {
    const inline = name.endsWith('inline') ? 'catch' : null;
    expect(generated(edits, inline)).not.toBe(generated([], inline));
    if (name !== 'dawdling') expect(generated([...HALTING, ...edits], inline)).not.toBe(generated(HALTING, inline));
  });

  it('is an error where it does not fit, so that no control passes for nothing (negative control)', () => {
    expect(() => generated([['apply', 'no such line', '']])).toThrow(
      /The function apply has 0 places for no such line/,
    );
    expect(() => generated([['apply', 'AS', '']])).toThrow(/The function apply has \d+ places for AS/);
    expect(() => generated([['apply', /no such line/g, '']])).toThrow(/has 0 places/);
  });
});
