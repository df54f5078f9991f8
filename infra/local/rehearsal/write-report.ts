/** The report of a rehearsal: its files, and the same in short for the terminal. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { hashOf, signRehearsal, thumbprintOf } from '../../../lib/adapters/http/rehearsal-token.ts';
import type { Figures, Rehearsal, Step } from './rehearsal.ts';
import { reportPage } from './report-page.ts';
import { signingKey } from './signing-key.ts';

export type ReportFiles = { json: string; html: string; signedBy: string };

export async function writeReport(directory: string, rehearsal: Rehearsal): Promise<ReportFiles> {
  const { cutover, passed, endedMs, hashes } = rehearsal;
  const key = signingKey(directory);
  const report = hashOf(rehearsal);
  const signed = await signRehearsal({ cutover, passed, endedMs, ...hashes, report }, key);
  const signedBy = await thumbprintOf(key);
  const file = (extension: string) => join(directory, `rehearsal-${cutover}.${extension}`);
  writeFileSync(file('json'), `${JSON.stringify({ ...rehearsal, signedBy, signed }, null, 2)}\n`);
  writeFileSync(file('html'), reportPage(rehearsal, { signedBy, report }));
  return { json: file('json'), html: file('html'), signedBy };
}

const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
const megabytes = (bytes: number) => `${(bytes / 1_048_576).toFixed(1)} MB`;

export function renderRehearsal(
  { cutover, database, how, passed, steps, figures, load, notices, differs }: Rehearsal,
  { json, html, signedBy }: ReportFiles,
): string {
  return [
    `\n${cutover}: the rehearsal ${passed ? 'PASSED' : 'FAILED'}`,
    `  on ${how} of database ${database}`,
    ...steps.flatMap(stepLines),
    '',
    ...(figures === null ? [] : figureLines(figures)),
    ...(load === null
      ? []
      : [
          `  load      ${load.reads} reads, ${load.writes.updates} updates, ${load.writes.inserts} inserts, ${load.writes.deletes} deletes, ${load.failed} failed`,
        ]),
    ...(notices.length === 0 ? [] : [`  notices   ${notices.length}: ${notices.map(({ about }) => about).join(', ')}`]),
    ...differs.map((text, index) => `  ${index === 0 ? 'differs' : '       '}   ${text}`),
    `  report    ${html}`,
    `            ${json}, signed by ${signedBy}`,
  ].join('\n');
}

const figureLines = ({ rows, copyMs, lockMs, worstLagMs, walBytes, diskBytes }: Figures) => [
  `  copy      ${copyMs === null ? '–' : `${rows} rows in ${seconds(copyMs)}`}`,
  `  lock      ${lockMs.toFixed(1)} ms at most`,
  `  lag       ${Math.round(worstLagMs)} ms at most`,
  `  WAL       ${megabytes(walBytes)} of the whole server`,
  `  disk      ${megabytes(diskBytes.before)} before, ${megabytes(diskBytes.most)} at most`,
];

function stepLines({ name, result, tookMs, failures }: Step): string[] {
  const mark = { pass: '✓', fail: '✗', skipped: '·' }[result];
  return [
    `  ${mark} ${name.padEnd(16)} ${result === 'skipped' ? 'not reached' : seconds(tookMs)}`,
    ...failures.flatMap(({ about, says, remedy }) => [
      `      ${about}: ${says}`,
      ...(remedy ? [`        ${remedy}`] : []),
    ]),
  ];
}
