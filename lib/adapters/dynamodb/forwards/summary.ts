/**
 * How many forwarded writes a cutover has, and how old the oldest is. Nearly always there are none or a few, so five
 * cutovers that are asked for together are first looked at with one selection; only where that has no end each shard is
 * listed.
 */

import { FORWARD_SHARDS, type ForwardHead, type ForwardsSummary } from '../../../core/forwards/forward.ts';
import { atMost, batchingLoader, named } from '../batching-loader.ts';
import type { Target } from '../failures.ts';
import { forwardPartition } from '../keys.ts';
import { selectItems } from '../state-items.ts';
import { forwardOf } from './item.ts';

/** Listed per shard, oldest first; what lies beyond is looked at when these are done. */
export const LISTED = 500;
export type Listed = { heads: readonly ForwardHead[]; more: boolean };

/** A selection takes 50 partition keys. */
const CUTOVERS_AT_ONCE = 50 / FORWARD_SHARDS;
/** Each asks ten shards: more would wait for one of the client's fifty connections, and time out there. */
const LISTED_AT_ONCE = 4;

export function forwardsSummary(
  target: Target,
  fields: readonly string[],
  listShards: (cutover: string) => Promise<readonly Listed[]>,
  realNow: () => number,
): (cutover: string) => Promise<ForwardsSummary> {
  /** Null where only the shards can tell. */
  const all = batchingLoader(CUTOVERS_AT_ONCE, async (asked: readonly string[]) => {
    const cutovers = [...new Set(asked)];
    const { items, more } = await selectItems(target, `count the forwarded writes of ${named(cutovers)}`, {
      key: 'id',
      partitions: cutovers.flatMap(partitionsOf),
      fields: ['id', ...fields],
      most: LISTED,
    });
    return (cutover): Listed[] | null => {
      if (more) return null;
      const own = partitionsOf(cutover);
      return [{ heads: items.filter(({ id }) => own.includes(String(id))).map((item) => forwardOf(item).head), more }];
    };
  });

  const list = atMost(LISTED_AT_ONCE, listShards);

  return async (cutover) => {
    const listed = (await all(cutover)) ?? (await list(cutover));
    const heads = listed.flatMap((shard) => shard.heads);
    return {
      open: heads.length,
      quarantined: heads.filter(({ status }) => status === 'quarantined').length,
      lagMs: Math.max(0, ...heads.map(({ createdAtMs }) => realNow() - createdAtMs)),
      more: listed.some(({ more }) => more),
    };
  };
}

const partitionsOf = (cutover: string): string[] =>
  Array.from({ length: FORWARD_SHARDS }, (_, shard) => forwardPartition(cutover, shard));
