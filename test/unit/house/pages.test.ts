/**
 * The pages of the repository: generated parts are as the code makes them, links lead somewhere, code compiles, commands exist,
 * and what has to have a page or a row has one. Each rule is also shown to notice a violation.
 */

import { readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { alarmsOf } from '../../../infra/docs/alarms.ts';
import { placesIn } from '../../../infra/docs/markdown.ts';
import { completeHead, headOf } from '../../../infra/docs/migrations.ts';
import { type Page, RENEW, readPages, renewed, TEXT_NAMES } from '../../../infra/docs/pages.ts';
import { BUILT_IN_RULE_IDS } from '../../../lib/core/alerts/rule.ts';
import { ROOT, readSources } from '../../helpers/imports.ts';
import { blocksOf, compile, wrongInline, wrongLine } from '../../helpers/page-blocks.ts';
import { anchorsOf, brokenLinks } from '../../helpers/page-links.ts';

const PAGES = readPages(ROOT);
const pageOf = (file: string) => PAGES.find((page) => page.file === file)!;
const BLOCKS = PAGES.flatMap(blocksOf);
const TYPESCRIPT = BLOCKS.filter(({ language }) => language === 'ts');
const SHELL = BLOCKS.filter(({ language }) => language === 'sh');

describe('generated parts of pages', () => {
  it.each(PAGES.filter(({ text }) => placesIn(text).length > 0).map(({ file }) => file))(
    '%s is as the code makes it',
    (file) => {
      const page = pageOf(file);
      expect(renewed(ROOT, page).text, `${file} is stale. Run: ${RENEW}`).toBe(page.text);
    },
  );

  it('notice a page that is stale', () => {
    const page = pageOf('functions/README.md');
    const stale = { ...page, text: page.text.replace('| `GET /v1/health`', '| `GET /v1/hello`') };
    expect(renewed(ROOT, stale).text).toBe(page.text);
    expect(stale.text).not.toBe(page.text);
  });

  it('have a place for each text, and no place without one', () => {
    const places = PAGES.flatMap(({ text }) => placesIn(text));
    expect([...places].sort()).toEqual([...TEXT_NAMES].sort());
    const page = { file: 'x.md', text: '<!-- generated: nothing -->\n<!-- /generated -->' };
    expect(() => renewed(ROOT, page)).toThrow("Nothing is called 'nothing'");
  });

  it('say why, lock, duration and undo of each migration, and notice a head that does not', () => {
    const sql =
      '-- Why: a reason\n-- in two lines. Lock: none.\n--   a drawing\n-- Duration: short. Undo: DROP it.\nSELECT 1;';
    const head = { why: 'a reason in two lines.', lock: 'none.', duration: 'short.', undo: 'DROP it.' };
    expect(headOf(sql)).toEqual(head);
    expect(() => completeHead('9999_new.sql', '-- Why: a reason\nSELECT 1;')).toThrow('lock, duration, undo');
  });
});

describe('links of pages', () => {
  it('lead to a file that exists, and to a heading that it has', () => {
    expect(PAGES.flatMap((page) => brokenLinks(ROOT, page, PAGES))).toEqual([]);
  });

  it.each([
    ['a file that is not there', '[x](lib/nothing.md)'],
    ['a heading that is not there', '[x](lib/README.md#nothing)'],
    ['a heading of its own that is not there', '# Here\n[x](#there)'],
    ['a picture that is not there', '![x](lib/nothing.png)'],
  ])('notice %s', (_, text) => {
    expect(brokenLinks(ROOT, { file: 'README.md', text }, PAGES)).toHaveLength(1);
  });

  it('are read as GitHub reads them', () => {
    const text = '# A `code` & more\n## Same\n## Same\n```sh\n# no heading\n```\n';
    expect([...anchorsOf(text)]).toEqual(['a-code--more', 'same', 'same-1']);
    const page = { file: 'README.md', text: `${text}[a](#same-1) \`[b](nowhere)\`` };
    expect(brokenLinks(ROOT, page, [page])).toEqual([]);
  });

  it('reach every page from README.md', () => {
    const reached = new Set(['README.md']);
    for (const file of reached) {
      for (const [, target] of pageOf(file)?.text.matchAll(/\]\(([^)#\s:]+\.md)[^)]*\)/g) ?? [])
        reached.add(join(file, '..', target!).replaceAll('\\', '/'));
    }
    expect(PAGES.map(({ file }) => file).filter((file) => !reached.has(file))).toEqual([]);
  });
});

describe('code in pages', () => {
  it('compiles, and a block that does not is noticed with its page and line', () => {
    const wrong = {
      page: 'x.md',
      line: 10,
      language: 'ts',
      text: "import { createClient } from 'crossfade-client';\ncreateClient({});",
    };
    expect(TYPESCRIPT.length).toBeGreaterThan(8);
    expect(compile(ROOT, [...TYPESCRIPT, wrong])).toEqual([
      expect.stringMatching(/^x\.md:12 error TS\d+: .*'ClientOptions/),
    ]);
  });

  it('calls commands, scripts and tests that exist, with options that they have', () => {
    const lines = SHELL.flatMap(({ page, text }) => text.split('\n').map((line) => [page, line] as const));
    expect(lines.length).toBeGreaterThan(100);
    expect(lines.flatMap(([page, line]) => wrongLine(ROOT, line).map((why) => `${page}: ${why}`))).toEqual([]);
  });

  it.each([
    'npx --no-install crossfade strat customer',
    'npx --no-install crossfade rollback customer',
    'npx --no-install crossfade status --wach',
    'npx --no-install crossfade verify',
    "npx --no-install crossfade policy customer --sett x=1 --reason 'why'",
    'npm run nothing',
    'npm run bench nothing',
    'npx vitest run --project nothing',
    'npx vitest run --project unit test/unit/nothing',
    'npx serverless nothing',
    'npx --no-install jiti infra/nothing.ts',
    'createdb x && nothing y',
  ])('notices %s', (line) => {
    expect(wrongLine(ROOT, line)).toHaveLength(1);
  });

  it('is what running text speaks of', () => {
    expect(PAGES.flatMap((page) => wrongInline(ROOT, page))).toEqual([]);
  });

  it.each(['`crossfade strat`', '`crossfade advance --forse`', '`npm run nothing`'])(
    'notices %s in running text',
    (text) => {
      expect(wrongInline(ROOT, { file: 'x.md', text })).toHaveLength(1);
    },
  );

  it('is of a language that is checked, or of one that cannot be', () => {
    const known = ['console', 'js', 'sh', 'sql', 'text', 'ts'];
    // Programs in JavaScript are run: by test/stack/newcomer.test.ts, and by test/scenario/express.test.ts.
    const programs = BLOCKS.filter(({ language }) => language === 'js');
    expect(programs.map(({ page }) => page)).toEqual(['infra/examples/pgbench/README.md', 'lib/client/README.md']);
    expect(BLOCKS.filter(({ language }) => !known.includes(language))).toEqual([]);
  });
});

// ------------------------------------------------------------------------------------------- what must have a place

/** Commands whose section has no block of what was printed. */
const withoutExample = (text: string): string[] =>
  text
    .split(/^### crossfade /m)
    .slice(1)
    .filter((section) => !section.includes('```console'))
    .map((section) => section.split('\n')[0]!);

/** Where each folder is a room; of ports each file is one. */
const ROOMS_IN = ['lib/core', 'lib/flows', 'lib/adapters', 'lib/adapters/postgres', 'lib/ports'];

const roomsIn = (folder: string): string[] =>
  readdirSync(join(ROOT, folder), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() || (folder === 'lib/ports' && entry.name.endsWith('.ts')))
    .map(({ name }) => `${folder}/${name}`);

/** A row begins with the names that it is about. */
function isExplained(room: string, pages: readonly Page[]): boolean {
  const name = `\`${basename(room)}\``;
  const rows = (text: string) => text.match(/^\| `[^|]*\|/gm) ?? [];
  const beside = pages.filter(({ file }) => file.endsWith('/README.md') && room.startsWith(`${dirname(file)}/`));
  return (
    pages.some(({ file }) => file === `${room}/README.md`) ||
    beside.some(({ text }) => rows(text).some((row) => row.includes(name)))
  );
}

const SECTIONS = ['what-you-see', 'what-it-means', 'what-to-type', 'what-you-will-see-then'];

describe('pages', () => {
  it('README.md is read in a minute: at most 150 lines', () => {
    expect(pageOf('README.md').text.split('\n').length).toBeLessThanOrEqual(151);
  });

  it('there is one for each alarm, and it says what is seen, what it means, what to type and what is seen then', () => {
    const alarms = alarmsOf(ROOT);
    expect(alarms.length).toBeGreaterThan(30);
    const missing = alarms.flatMap(({ name, page }) => {
      const [file, anchor] = page.split('#');
      const anchors = anchorsOf(pageOf(`infra/runbooks/${file}`)?.text ?? '');
      return [...SECTIONS, ...(anchor ? [anchor] : [])]
        .filter((one) => !anchors.has(one))
        .map((one) => `${name} #${one}`);
    });
    expect(missing).toEqual([]);
  });

  it('the page of commands shows what each command prints, but of `dev` and `rehearse`, which serve for minutes, and `completion`, which a shell reads', () => {
    const { text } = pageOf('lib/cli/README.md');
    expect(withoutExample(text)).toEqual(['dev', 'rehearse', 'completion']);
    const [block] = /^```console\n\$ npx --no-install crossfade preview [\s\S]*?^```/m.exec(text)!;
    expect(withoutExample(text.replace(block, ''))).toEqual(['dev', 'rehearse', 'preview', 'completion']);
  });

  it('each room has its idea explained, by a page of its own or by a row in the page beside it', () => {
    const rooms = ROOMS_IN.flatMap((folder) => roomsIn(folder));
    expect(rooms.length).toBeGreaterThan(30);
    expect(rooms.filter((room) => !isExplained(room, PAGES))).toEqual([]);
  });

  it('notice a room, and a file of ports, that nothing explains', () => {
    const pages = PAGES.filter(({ file }) => file !== 'lib/core/gates/README.md').map((page) => ({
      ...page,
      text: page.text.replaceAll(/^\| `gates`.*$/gm, ''),
    }));
    expect(isExplained('lib/core/gates', pages)).toBe(false);
    expect(isExplained('lib/ports/nothing.ts', PAGES)).toBe(false);
  });

  it('the runbook of alerts has a section for each built-in rule', () => {
    const anchors = anchorsOf(pageOf('infra/runbooks/alerts.md').text);
    expect(BUILT_IN_RULE_IDS.filter((rule) => !anchors.has(rule))).toEqual([]);
  });

  it('each invariant that a test carries has a row in test/README.md, and each row a test', () => {
    const rows = [...pageOf('test/README.md').text.matchAll(/^\| (I\d+) \|/gm)].map(([, id]) => id!);
    const carried = new Set(readSources(['test']).flatMap(({ text }) => text.match(/\bI\d{1,2}\b/g) ?? []));
    expect([...carried].filter((id) => !rows.includes(id))).toEqual([]);
    expect(rows.filter((id) => !carried.has(id))).toEqual([]);
  });
});
