/** JSON of a body: no two ids become one number. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileRules, diffJson } from '../../../lib/core/forwards/json-diff.ts';
import { parseJson } from '../../../lib/core/forwards/json-text.ts';

const differs = (a: string, b: string) => diffJson(parseJson(a), parseJson(b)).differences.length > 0;

describe('whole numbers beyond what JavaScript can hold', () => {
  it.each([
    ['that were rounded', '{"id":12345678901234567891}', '{"id":12345678901234567000}', true],
    ['negative ones', '[-9223372036854775807]', '[-9223372036854775808]', true],
    ['that became texts', '{"id":9007199254740993}', '{"id":"9007199254740993"}', true],
    ['the same, in another order of names', '{"id":9007199254740993,"a":1}', '{"a":1,"id":9007199254740993}', false],
    ['with a fraction, the same to a computer', '0.10000000000000001', '0.1', false],
    ['with an exponent', '12345678901234567e3', '12345678901234567000e0', false],
    ['that it can hold', '9007199254740991', '9007199254740991.0', false],
  ])('%s', (_, a, b, wanted) => {
    expect(differs(a, b)).toBe(wanted);
    expect(differs(a, a)).toBe(false);
  });

  it('may differ by a tolerance, as others may', () => {
    const [a, b] = [parseJson('{"ns":1700000000123456789}'), parseJson('{"ns":1700000000123456000}')];
    const within = (tolerance: number) => diffJson(a, b, compileRules([{ path: 'ns', tolerance }])).differences.length;
    expect([within(100), within(1_000)]).toEqual([1, 0]);
  });

  it('may lie beside any name', () => {
    expect(parseJson('{"toString":1,"n":[12345678901234567891]}')).toEqual({ toString: 1, n: [12345678901234567891n] });
  });

  it('are looked for outside of texts', () => {
    for (const text of ['a:12345678901234567891,', '\\"12345678901234567891', '12345678901234567891'])
      expect(parseJson(`{"a":${JSON.stringify(text)},"b":12345678901234567891}`)).toMatchObject({ a: text });
  });
});

it('anything else is what JSON.parse makes of it', () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      fc.pre(!/\d{16}/.test(text));
      expect(parseJson(text)).toEqual(JSON.parse(text));
    }),
    { numRuns: 300 },
  );
  expect(() => parseJson('{"a":"12345678901234567')).toThrow(SyntaxError);
});

it('a large text takes milliseconds', () => {
  const text = JSON.stringify({ quotes: '\\"'.repeat(300_000), ids: '1'.repeat(300_000) }).replace(
    '}',
    ',"n":12345678901234567891}',
  );
  expect(parseJson(text)).toMatchObject({ n: 12345678901234567891n });
});
