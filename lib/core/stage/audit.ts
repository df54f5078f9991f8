/** Hash-chained audit entries: each carries the SHA-256 of the one before, so a changed or missing entry shows. */

import { createHash } from 'node:crypto';
import { canonicalJson } from '../base/canonical-json.ts';
import { type CutoverState, GENESIS_HASH } from '../cutover/cutover.ts';

export type AuditEntry<Event = unknown> = {
  /** Cutover id, or `system`. */
  subject: string;
  /** 1, 2, 3 … without a gap. */
  seq: number;
  atMs: number;
  actor: string;
  event: Event;
  /** Version and epoch after the event. */
  version: number;
  epoch: number;
  previousHash: string;
  /** SHA-256 over the canonical JSON of everything above, in lower-case hex. */
  hash: string;
};

export type AuditHead = Pick<CutoverState, 'auditSeq' | 'auditHash'>;

/** The next entry of a chain whose head is given. */
export function nextEntry<Event>(
  head: AuditHead,
  entry: Omit<AuditEntry<Event>, 'seq' | 'previousHash' | 'hash'>,
): AuditEntry<Event> {
  const body = { ...entry, seq: head.auditSeq + 1, previousHash: head.auditHash };
  return { ...body, hash: hashOf(body) };
}

export type ChainVerdict = { intact: true; entries: number } | { intact: false; seq: number; why: string };

/** Checks numbering, links and hashes of a whole chain, oldest first. */
export function verifyChain(entries: readonly AuditEntry[], head?: AuditHead): ChainVerdict {
  let previousHash = GENESIS_HASH;
  for (const [index, entry] of entries.entries()) {
    const { hash, ...body } = entry;
    if (entry.seq !== index + 1) return { intact: false, seq: index + 1, why: `entry ${index + 1} is missing` };
    if (entry.previousHash !== previousHash)
      return { intact: false, seq: entry.seq, why: `entry ${entry.seq} does not continue entry ${index}` };
    if (hashOf(body) !== hash) return { intact: false, seq: entry.seq, why: `entry ${entry.seq} was changed` };
    previousHash = hash;
  }
  if (head && (head.auditSeq !== entries.length || head.auditHash !== previousHash))
    return {
      intact: false,
      seq: head.auditSeq,
      why: `the state ends at entry ${head.auditSeq}, the log at ${entries.length}`,
    };
  return { intact: true, entries: entries.length };
}

function hashOf(body: object): string {
  return createHash('sha256').update(canonicalJson(body)).digest('hex');
}
