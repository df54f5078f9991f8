/** SQL in Markdown pages: blocks, and statements in running text. A form with a gap (`SELECT … FOR UPDATE`) is no statement. */

import { blocksOf } from './page-blocks.ts';
import type { Page } from './page-links.ts';

/** `line`: where its first line stands in the page. */
export type ShownSql = { page: string; line: number; text: string };

const STATEMENT = /`((?:SELECT|ALTER|CREATE|GRANT|INSERT|UPDATE|DELETE|VACUUM|ANALYZE) [^`…]+)`/g;
/** Kinds of statements, and a route. */
const FRAGMENTS = /^(SELECT \*|CREATE OR REPLACE|CREATE INDEX CONCURRENTLY|DELETE \/.*)$/;

export function sqlOf(page: Page): ShownSql[] {
  const blocks = blocksOf(page)
    .filter(({ language }) => language === 'sql')
    .map(({ line, text }) => ({ page: page.file, line: line + 1, text }));
  // Programs have statements between backticks, too: they run with the program.
  const prose = page.text.replaceAll(/^( *)```\w*\n[\s\S]*?^\1```/gm, (block) => block.replaceAll(/[^\n]/g, ''));
  const inline = prose.split('\n').flatMap((text, index) =>
    [...text.matchAll(STATEMENT)]
      .map(([, statement]) => statement!)
      .filter((statement) => !FRAGMENTS.test(statement))
      .map((statement) => ({ page: page.file, line: index + 1, text: statement })),
  );
  return [...blocks, ...inline];
}
