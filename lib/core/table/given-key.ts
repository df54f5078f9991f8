/** A key as people give it: as status shows it, or the bare value where the key is one column. */

/** A text, or a number outside of texts. */
const TOKEN = /("(?:[^"\\]|\\.)*")|-?\d[\d.eE+-]*/g;

/** Its parts as texts, in the order of the names; null for what is no key. A number may be longer than a double, and keeps its digits. */
export function parsedKey(text: string, names: readonly string[]): readonly string[] | null {
  if (!/^\s*\{/.test(text)) return names.length === 1 ? [text] : null;
  try {
    const spelled = text.replace(TOKEN, (token, quoted: string | undefined) => quoted ?? `"${token}"`);
    const given = JSON.parse(spelled) as Record<string, unknown>;
    const parts = names.map((name) => (Object.hasOwn(given, name) ? given[name] : undefined));
    return parts.every((part) => typeof part === 'string' || typeof part === 'boolean') ? parts.map(String) : null;
  } catch {
    return null;
  }
}

/** @param id of the cutover */
export const noKey = (id: string, name = 'id'): string =>
  `That is no key of the table of cutover '${id}'. Give it as status shows it, for example {"${name}": 5}, or the bare value where the key is one column.`;
