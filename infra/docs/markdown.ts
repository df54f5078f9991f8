/** Tables of Markdown, and the places in a page where generated text stands. */

/** A cell on one line, in which a bar does not end the cell. */
const cell = (text: string): string =>
  text
    .replaceAll(/\s*\n\s*/g, ' ')
    .replaceAll('|', '\\|')
    .trim();

/** @example table(['code', 'exit'], [['held', '3']]) */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map(cell).join(' | ')} |`.replaceAll('|  |', '| |');
  return [line(head), `|${' --- |'.repeat(head.length)}`, ...rows.map(line)].join('\n');
}

export const code = (text: string): string => `\`${text}\``;

export function block(language: string, text: string): string {
  return `\`\`\`${language}\n${text.trimEnd()}\n\`\`\``;
}

const PLACES = /<!-- generated: ([a-z-]+) -->\n[\s\S]*?<!-- \/generated -->/g;

/** The names of the places in a page. */
export const placesIn = (page: string): string[] => [...page.matchAll(PLACES)].map(([, name]) => name!);

/**
 * The page with every place filled. What stands there by hand is lost.
 * @throws Error for a place that has no text
 */
export function filled(page: string, texts: Readonly<Record<string, () => string>>): string {
  return page.replace(PLACES, (_, name: string) => {
    const text = texts[name];
    if (!text) throw new Error(`Nothing is called '${name}'. Generated texts: ${Object.keys(texts).join(', ')}.`);
    return `<!-- generated: ${name} -->\n\n${text().trim()}\n\n<!-- /generated -->`;
  });
}
