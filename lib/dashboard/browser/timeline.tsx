/** What was done, by whom, when and why: the newest audit entries. */

import type { AuditLine } from '../sentences.ts';
import { Sign } from './badges.tsx';
import { dayAndTime, duration } from './format.ts';

export function Timeline({ entries, atMs }: { entries: readonly AuditLine[]; atMs: number }) {
  if (entries.length === 0) return <p class="quiet">Nothing has happened yet.</p>;
  return (
    <ol class="timeline">
      {entries.map((entry) => (
        <Entry key={`${entry.subject} ${entry.seq}`} entry={entry} atMs={atMs} />
      ))}
    </ol>
  );
}

function Entry({ entry, atMs: nowMs }: { entry: AuditLine; atMs: number }) {
  const { subject, seq, atMs, actor, what, why, evidence, tone, hash } = entry;
  return (
    <li class={`tone-${tone}`}>
      <Sign tone={tone} />
      <p class="what">
        <b>{subject}</b> {what}
      </p>
      {why && <p class="why">{why}</p>}
      {evidence && <p class="quiet">{evidence}</p>}
      <p class="quiet">
        {actor} ·{' '}
        <time dateTime={new Date(atMs).toISOString()} title={dayAndTime(atMs)}>
          {duration(nowMs - atMs)} ago
        </time>
        {' · '}
        <code title={`Entry ${seq} of ${subject}, start of its hash`}>
          #{seq} {hash}
        </code>
      </p>
    </li>
  );
}
