/** What an application reads differently after a column changed its type, although the value is the same: by type before and after. */

const TEXT_OF_BIGINT =
  'drivers of JavaScript (node-postgres, postgres.js) return it as text, not as a number, unless a parser is set for type 20; others need a type of 64 bits';
const TEXT_OF_NUMERIC =
  'drivers return it as text or as a decimal type, not as a number: set a parser for type 1700, or convert it where it is read';
const BINARY =
  'values are binary from now on: sums and comparisons with = may differ in the last digits, and a driver returns a number';

type Rule = { from: RegExp; to: RegExp; says: string };

const NUMBER = /^(smallint|integer|bigint|real|double precision|numeric|money)/;
/** The first that fits. */
const RULES: readonly Rule[] = [
  { from: /^(smallint|integer)/, to: /^bigint/, says: TEXT_OF_BIGINT },
  { from: /^(bigint|numeric)/, to: /^(smallint|integer)/, says: 'drivers return a number, not a text' },
  { from: /^(smallint|integer|real|double precision|money)/, to: /^numeric/, says: TEXT_OF_NUMERIC },
  { from: /^(numeric|smallint|integer|bigint|money)/, to: /^(real|double precision)/, says: BINARY },
  {
    from: /^money/,
    to: NUMBER,
    says: 'drivers return a number without a currency sign, and input with one is refused',
  },
  { from: NUMBER, to: /^money/, says: 'drivers return a text with the currency sign of lc_monetary' },
  {
    from: /^timestamp(\(\d\))? without time zone/,
    to: /^timestamp(\(\d\))? with time zone/,
    says: 'values are moments from now on: input without a zone is read in the time zone of the session, output is shown in it, and drivers return another object for the same text',
  },
  {
    from: /^timestamp(\(\d\))? with time zone/,
    to: /^timestamp(\(\d\))? without time zone/,
    says: 'values have no zone from now on: a zone in the input is ignored without a word, and drivers read the output in the zone of their own machine',
  },
  { from: /^date/, to: /^timestamp/, says: 'values have a time of day: = with a date finds midnight only' },
  {
    from: /^json(\[\])?$/,
    to: /^jsonb/,
    says: 'objects come back with sorted keys, without duplicates and spaces: a text that is compared, hashed or signed differs',
  },
  {
    from: /^jsonb/,
    to: /^json(\[\])?$/,
    says: 'operators @>, ?, || and comparison with = are missing, and the text is returned as it was written',
  },
  {
    from: /^character\(|^character$/,
    to: /^(text|character varying)/,
    says: "spaces at the end count from now on: 'a ' is not 'a'",
  },
  {
    from: /^(text|character varying)/,
    to: /^character\(|^character$/,
    says: 'values come back with spaces up to the length of the column',
  },
  {
    from: /^(text|character)/,
    to: /^uuid/,
    says: 'values come back in lower case with dashes, and input that is no uuid fails',
  },
  { from: /^(text|character)/, to: /^bytea/, says: 'drivers return bytes, not a text' },
  {
    from: /^(smallint|integer)/,
    to: /^boolean/,
    says: 'drivers return true and false: a comparison with 1 or 0 fails',
  },
  {
    from: NUMBER,
    to: /^(uuid|text|character)/,
    says: 'drivers return a text: comparison and order go by characters (10 before 9), and arithmetic fails',
  },
];

/** @param from, to as `format_type` spells them */
export function seenDifferently(from: string, to: string): string | null {
  if (from === to) return null;
  return RULES.find((rule) => rule.from.test(from) && rule.to.test(to))?.says ?? null;
}
