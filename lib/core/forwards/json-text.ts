/** JSON of a body, as it is compared. */

const HAS_LONG = /\d{16}/;
/** Texts, to be passed over, and whole numbers of so many digits. */
const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|(?<![\d.eE])-?\d{16,}(?![\d.eE])/g;
/** How the text of such a number begins: a character that no text of a service has, and a letter. */
const MARK = '\\u0000n';
const MARKED = /^\0n-?\d+$/;

/**
 * A whole number that a double may have rounded is a bigint: two ids of 64 bits can be the same number to JavaScript.
 * @throws SyntaxError
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  if (!HAS_LONG.test(text)) return value;
  const isExact = (token: string) => token[0] === '"' || Number.isSafeInteger(Number(token));
  const marked = text.replace(TOKENS, (token) => (isExact(token) ? token : `"${MARK}${token}"`));
  return JSON.parse(marked, (_, part) =>
    typeof part === 'string' && MARKED.test(part) ? BigInt(part.slice(2)) : part,
  );
}
