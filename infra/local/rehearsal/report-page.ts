/** The report of a rehearsal as one page that needs nothing else: to be read, mailed and printed. Pure. */

import type { Figures, Finding, Rehearsal, Step } from './rehearsal.ts';

const escaped = (text: string) => text.replace(/[&<>"']/g, (one) => `&#${one.codePointAt(0)};`);

const seconds = (ms: number) => `${(ms / 1_000).toFixed(1)} s`;
const megabytes = (bytes: number) => `${(bytes / 1_048_576).toFixed(1)} MB`;
const count = (value: number) => value.toLocaleString('en');

const STYLE = `
  :root { color-scheme: light dark }
  body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem }
  table { border-collapse: collapse; width: 100%; margin: 0 0 1.5rem }
  th, td { text-align: left; vertical-align: top; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid #8884 }
  .pass { color: #18794e } .fail { color: #c62a2f } .skipped { opacity: .6 }
  @media (prefers-color-scheme: dark) { .pass { color: #4cc38a } .fail { color: #ff8b8b } }
  code { overflow-wrap: anywhere }`;

export type Signature = { signedBy: string; report: string };

export function reportPage(rehearsal: Rehearsal, { signedBy, report }: Signature): string {
  const { cutover, database, how, startedMs, endedMs, passed, steps, hashes, notices, holds, differs } = rehearsal;
  const title = `Rehearsal of ${cutover}: ${passed ? 'PASS' : 'FAIL'}`;
  const at = new Date(startedMs).toISOString().slice(0, 16).replace('T', ' ');
  const parts = [
    `<h1 class="${passed ? 'pass' : 'fail'}">${escaped(title)}</h1>`,
    `<p>On ${escaped(how)} of database ${escaped(database)}, ${at} UTC, in ${seconds(endedMs - startedMs)}.</p>`,
    table(['step', 'result', 'time', 'what failed, and what to do'], steps.map(stepRow)),
    ...figures(rehearsal),
    ...list('To know', notices.map(findingText)),
    ...list(
      'What held it',
      holds.map(({ step, label, says, heldMs }) => `${step}: ${label} for ${seconds(heldMs)}. ${says}`),
    ),
    ...list('What differs from the real thing', differs),
    '<h2>What was rehearsed</h2>',
    table(
      ['of', 'SHA-256'],
      [
        row('declaration', hashes.declaration),
        row('shape of both tables', hashes.shape),
        row('this report', report),
        row('signed by key', signedBy),
        row('version of Crossfade', hashes.version),
      ],
    ),
  ];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escaped(title)}</title><style>${STYLE}</style></head>
<body><main>
${parts.join('\n')}
</main></body></html>
`;
}

const table = (heads: readonly string[], rows: readonly string[]) =>
  `<table><thead><tr>${heads.map((head) => `<th>${escaped(head)}</th>`).join('')}</tr></thead><tbody>\n${rows.join('\n')}\n</tbody></table>`;

const row = (name: string, value: string) =>
  `<tr><th>${escaped(name)}</th><td><code>${escaped(value)}</code></td></tr>`;

function stepRow({ name, result, tookMs, failures }: Step): string {
  const texts = failures.map((failure) => `<p>${escaped(findingText(failure))}</p>`).join('');
  const word = { pass: 'PASS', fail: 'FAIL', skipped: 'not reached' }[result];
  const time = result === 'skipped' ? '' : seconds(tookMs);
  return `<tr><th>${escaped(name)}</th><td class="${result}">${word}</td><td>${time}</td><td>${texts}</td></tr>`;
}

const findingText = ({ about, says, remedy }: Finding) => `${about}: ${says}${remedy === '' ? '' : ` → ${remedy}`}`;

function list(title: string, texts: readonly string[]): string[] {
  if (texts.length === 0) return [];
  return [`<h2>${escaped(title)}</h2>`, `<ul>${texts.map((text) => `<li>${escaped(text)}</li>`).join('\n')}</ul>`];
}

function figures({ figures: seen, load }: Rehearsal): string[] {
  if (seen === null) return [];
  const rows = [
    ...measured(seen),
    ...(load === null
      ? []
      : [
          row('reads', `${count(load.reads)}, ${count(load.shadowReads)} of the new table`),
          row('updates, inserts, deletes', Object.values(load.writes).map(count).join(', ')),
          row('failed statements', [count(load.failed), ...load.failures].join('; ')),
          row('slowest write', `${count(load.slowestWriteMs)} ms`),
          ...load.notWritten.map((text) => row('not written', text)),
        ]),
  ];
  return ['<h2>Measured</h2>', table(['what', 'figure'], rows)];
}

const measured = ({ rows, copyMs, lockMs, worstLagMs, walBytes, diskBytes, verifiedRows, divergences }: Figures) => [
  row('copy', copyMs === null ? 'not reached' : `${count(rows)} rows in ${seconds(copyMs)}`),
  row('longest lock of a swap', `${lockMs.toFixed(1)} ms`),
  row('highest lag', `${count(Math.round(worstLagMs))} ms`),
  row('WAL of the whole server', megabytes(walBytes)),
  row('disk of both tables', `${megabytes(diskBytes.before)} before, ${megabytes(diskBytes.most)} at most`),
  row('rows compared', `${count(verifiedRows)}, ${count(divergences)} differed`),
];
