/** The tokens of SQL, as far as a text is cut by them. */

/** Literals and quoted names are one token each, so nothing inside of them is taken for a word of SQL. */
export const TOKENS =
  /\s+|[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")+"|\$(?<tag>(?:[A-Za-z_]\w*)?)\$[\s\S]*?\$\k<tag>\$|[A-Za-z_\u0080-\uffff][\w$\u0080-\uffff]*|\d[\w.]*|--|\/\*|::|[\s\S]/g;

/** A comment is one token of these. */
export const TOKENS_AND_COMMENTS = new RegExp(`--[^\\n]*|/\\*[\\s\\S]*?\\*/|${TOKENS.source}`, 'g');

/** As the catalog has it: an unquoted name is folded to small letters. */
export const foldedName = (token: string): string =>
  token.startsWith('"') ? token.slice(1, -1).replaceAll('""', '"') : token.toLowerCase();
