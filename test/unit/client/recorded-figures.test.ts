/** What an application records beside its outcomes arrives. */

import { expect, it } from 'vitest';
import type { OutcomeBatch } from '../../../lib/client/outcome.ts';
import { Recorder } from '../../../lib/client/recorder.ts';
import { NOW } from '../../property/samples.ts';

it('figures and marks are sent, each without the other', async () => {
  const sent: OutcomeBatch[] = [];
  const recorder = new Recorder({
    sink: async (batch) => void sent.push(batch),
    source: 's',
    nextId: () => 'id',
    now: () => NOW,
    elapsedMs: () => 0,
    flushIntervalMs: 1e6,
  });
  for (const figures of [{ values: { basket: 7 } }, { flags: ['late'] }, {}])
    recorder.record({ cutover: 'customer', side: 'primary', latencyMs: 1, success: true, ...figures });
  await recorder.flush();
  const metrics = sent.flatMap((batch) => batch.metrics ?? []).map(({ metric, n, sum }) => [metric, n, sum]);
  expect(metrics).toEqual([
    ['value.basket', 1, 7],
    ['flags', 1, 0],
    ['flag.late', 1, 0],
  ]);
});
