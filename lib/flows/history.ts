/** The audit log of one subject, newest first, and whether its chain of hashes is whole. */

import { type AuditEntry, type ChainVerdict, verifyChain } from '../core/audit.ts';
import type { Event } from '../core/stage.ts';
import type { Ports } from '../ports.ts';

export type History = { entries: readonly AuditEntry<Event>[]; chain: ChainVerdict };

const PAGE = 200;
const MAX_ENTRIES = 100_000;

export async function history(
  ports: Pick<Ports, 'state'>,
  subject: string,
  page: { limit: number; afterSeq?: number },
): Promise<History> {
  const [entries, all] = await Promise.all([ports.state.readAudit(subject, page), wholeLog(ports, subject)]);
  return { entries, chain: verifyChain(all) };
}

/** The newest entries over several subjects. */
export async function recentHistory(
  ports: Pick<Ports, 'state'>,
  subjects: readonly string[],
  limit: number,
): Promise<readonly AuditEntry<Event>[]> {
  const pages = await Promise.all(subjects.map((subject) => ports.state.readAudit(subject, { limit })));
  return pages
    .flat()
    .sort((a, b) => b.atMs - a.atMs || b.seq - a.seq)
    .slice(0, limit);
}

async function wholeLog(ports: Pick<Ports, 'state'>, subject: string): Promise<AuditEntry<Event>[]> {
  const entries: AuditEntry<Event>[] = [];
  while (entries.length < MAX_ENTRIES) {
    const afterSeq = entries.at(-1)?.seq ?? 0;
    const page = await ports.state.readAudit(subject, { limit: PAGE, afterSeq, oldestFirst: true });
    entries.push(...page);
    if (page.length < PAGE) break;
  }
  return entries;
}
