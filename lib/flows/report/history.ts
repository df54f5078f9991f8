/** The audit log of one subject, newest first, and whether its chain of hashes is whole. */

import { inBatches } from '../../core/base/in-batches.ts';
import { GENESIS_HASH, initialState } from '../../core/cutover/cutover.ts';
import { type AuditEntry, type AuditHead, type ChainVerdict, verifyChain } from '../../core/stage/audit.ts';
import { type Conformity, conform } from '../../core/stage/conform.ts';
import type { Event } from '../../core/stage/events.ts';
import type { Ports } from '../../ports/ports.ts';
import { withConcurrencyLimit } from '../calls/concurrency-limit.ts';

export type History = {
  entries: readonly AuditEntry<Event>[];
  chain: ChainVerdict;
  /** Whether the whole log is a run of the stage machine; null for the system, and for a cutover that was never touched. */
  conformity: Conformity | null;
};

const PAGE = 200;
const LOGS_AT_ONCE = 10;
/** Neither the state of the system nor one that cannot be read says when it changed: their logs are read first. */
const UNKNOWN_MS = Number.MAX_SAFE_INTEGER;

export async function history(
  ports: Pick<Ports, 'state'>,
  subject: string,
  page: { limit: number; afterSeq?: number },
): Promise<History> {
  // The head first: entries that are added meanwhile only make the log longer than it says.
  const state = subject === 'system' ? null : await ports.state.readCutover(subject);
  const head = subject === 'system' ? await ports.state.readSystem() : state;
  const [entries, all] = await Promise.all([ports.state.readAudit(subject, page), wholeLog(ports, subject)]);
  return { entries, chain: headMatches(all, head), conformity: state && conform(initialState(state), all) };
}

/** A whole chain that ends before the state says, or somewhere else, has lost its end. */
function headMatches(all: readonly AuditEntry<Event>[], head: AuditHead | null): ChainVerdict {
  const verdict = verifyChain(all);
  const { auditSeq, auditHash } = head ?? { auditSeq: 0, auditHash: GENESIS_HASH };
  if (!verdict.intact || auditSeq === 0 || all[auditSeq - 1]?.hash === auditHash) return verdict;
  return { intact: false, seq: auditSeq, why: `the state ends at entry ${auditSeq}, the log at ${all.length}` };
}

export type AuditVerification = { subjects: readonly { subject: string; chain: ChainVerdict }[] };

/** Every log, whole. */
export async function verifyAudit(
  ports: Pick<Ports, 'state'>,
  subjects: readonly string[],
): Promise<AuditVerification> {
  const logs = await withConcurrencyLimit(subjects, LOGS_AT_ONCE, (subject) =>
    Promise.allSettled([history(ports, subject, { limit: 1 })]),
  );
  const found = logs.map(([log], i) => {
    if (log.status === 'rejected') throw log.reason;
    return { subject: subjects[i]!, chain: log.value.chain };
  });
  return { subjects: found };
}

/**
 * The newest entries over the system and these cutovers. The logs are read in the order of the last change of their subject, and
 * no longer than until `limit` entries are newer than that of the next: with hundreds of cutovers most logs are not asked.
 */
export async function recentHistory(
  ports: Pick<Ports, 'state'>,
  cutovers: readonly string[],
  limit: number,
  states = ports.state.readAll(),
): Promise<readonly AuditEntry<Event>[]> {
  const changes = new Map<string, number>([['system', UNKNOWN_MS]]);
  for (const one of await states) changes.set(one.id, 'invalid' in one ? UNKNOWN_MS : one.changedAtMs);
  const subjects = ['system', ...cutovers.filter((id) => changes.has(id))];
  subjects.sort((a, b) => changes.get(b)! - changes.get(a)!);
  let newest: AuditEntry<Event>[] = [];
  for (const some of inBatches(subjects, LOGS_AT_ONCE)) {
    if (newest.length === limit && newest.at(-1)!.atMs > changes.get(some[0]!)!) break;
    const pages = await Promise.all(some.map((subject) => ports.state.readAudit(subject, { limit })));
    newest = [...newest, ...pages.flat()].sort((a, b) => b.atMs - a.atMs || b.seq - a.seq).slice(0, limit);
  }
  return newest;
}

/** Every entry, oldest first, however many there are: what is left out would be the newest. */
export async function wholeLog(ports: Pick<Ports, 'state'>, subject: string): Promise<AuditEntry<Event>[]> {
  const entries: AuditEntry<Event>[] = [];
  for (;;) {
    const afterSeq = entries.at(-1)?.seq ?? 0;
    const page = await ports.state.readAudit(subject, { limit: PAGE, afterSeq, oldestFirst: true });
    entries.push(...page);
    if (page.length < PAGE) return entries;
  }
}
