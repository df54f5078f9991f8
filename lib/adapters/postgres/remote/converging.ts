/** The mover: images of rows go from one database to the other, a batch at a time. Each of its three calls may be its last. */

import type { ConvergeResult, Converging } from '../../../ports/converging.ts';
import { functionName, whole } from '../capture/arming.ts';
import { callJson } from '../connection/calls.ts';
import { unlessUnknown } from '../connection/unless-unknown.ts';
import { beginning, bringEpoch, endBatch, endingBatch } from './batches.ts';
import type { Remote } from './remote.ts';

type Failed = { key: string; sqlstate: string; message: string };
type Claimed = { kind: 'claimed'; number: number; seqs: readonly number[]; images: string; failed: readonly Failed[] };
type Claim =
  | Claimed
  | { kind: 'busy' }
  | { kind: 'idle'; spent: boolean }
  | { kind: 'stale'; have: number; got: number };
type Received =
  | { kind: 'received'; written: number; deleted: number; failed: readonly Failed[] }
  | { kind: 'stale' | 'overtaken' };
type Settled =
  | { kind: 'settled'; postponed: number; quarantined: number; remaining: number; spent: boolean }
  | { kind: 'overtaken' };

/** A full batch in which rows do not fit, on a busy server. */
const BATCH_MS = 15_000;
const NOTHING = {
  kind: 'converged',
  claimed: 0,
  written: 0,
  deleted: 0,
  checked: 0,
  mismatched: 0,
  postponed: 0,
  quarantined: 0,
  remaining: 0,
} as const;

export function remoteConverging(remote: Remote): Pick<Converging, 'converge'> {
  const { runtime } = remote.primary;
  const { id } = remote.cutover;
  const name = (what: string) => `crossfade.${functionName(what, id)}`;
  const turn = async () => void (await runtime.call(`SELECT ${name('turn')}()`));

  async function carry(epoch: number, { number, seqs, images, failed }: Claimed): Promise<ConvergeResult> {
    const receive = `SELECT ${name('receive')}($1::text::bigint, $2::text::bigint, $3) AS result`;
    const received = await callJson<Received>(remote.shadow.connection, receive, [epoch, number, images], {
      deadlineMs: BATCH_MS,
    });
    if (received.kind === 'stale') await bringEpoch(remote, epoch);
    // Another mover has these hints, or the next call takes them again.
    if (received.kind !== 'received') {
      await endBatch(remote, number);
      return { ...NOTHING, claimed: seqs.length, remaining: seqs.length };
    }
    const settle = `SELECT ${name('settle')}(${whole(number)}, $1::text::bigint[], $2::text::jsonb) AS result`;
    const misfits = JSON.stringify([...failed, ...received.failed]);
    const settled = await callJson<Settled>(runtime, settle, [`{${seqs.join(',')}}`, misfits], {
      deadlineMs: BATCH_MS,
    });
    const { written, deleted } = received;
    if (settled.kind === 'overtaken') return { ...NOTHING, claimed: seqs.length, written, deleted };
    if (settled.spent) await turn();
    const { postponed, quarantined, remaining } = settled;
    return { ...NOTHING, claimed: seqs.length, written, deleted, postponed, quarantined, remaining };
  }

  return {
    async converge(_, epoch, limit) {
      const sql = `${name('claim')}($1::text::bigint, $2::text::integer)`;
      const begin = () => beginning<Claim>(remote, { sql, values: [epoch, limit], deadlineMs: BATCH_MS });
      const claimed = await unlessUnknown<Claim>(runtime, `claim_${id}`, begin, {
        kind: 'stale',
        have: -1,
        got: epoch,
      });
      if (claimed.kind === 'stale') return claimed;
      if (claimed.kind === 'claimed') return endingBatch(remote, claimed.number, () => carry(epoch, claimed));
      if (claimed.kind === 'idle' && claimed.spent) await turn();
      return NOTHING;
    },
  };
}
