/** What applications test with: `crossfade-client/testing`. */

import { describe, expect, it } from 'vitest';
import { createClient } from '../../../lib/client/client.ts';
import { fixedFlags, recordedForwards, recordedOutcomes } from '../../../lib/client/testing.ts';
import { type FlagDocument, servedForm } from '../../../lib/core/routing/flags.ts';
import { checkFlagText } from '../../../lib/routing/flag-check.ts';

async function clientOn(sides: Parameters<typeof fixedFlags>[0]) {
  const outcomes = recordedOutcomes();
  // One minute, or a test that meets the end of one counts in two windows.
  const now = () => Date.UTC(2026, 0, 5);
  const client = createClient({ flags: fixedFlags(sides), outcomes, environment: {}, now });
  await client.refresh();
  return { client, outcomes };
}

describe('flags for the tests of an application', () => {
  it.each(['primary', 'shadow'] as const)('send every key to the %s', async (side) => {
    const { client } = await clientOn({ customer: side });
    const sides = Array.from({ length: 200 }, (_, n) => client.route('customer', { key: `user-${n}` }).side);
    expect(new Set(sides)).toEqual(new Set([side]));
  });

  it('leave a cutover that they do not name unknown', async () => {
    const { client } = await clientOn({ customer: 'shadow' });
    expect(client.route('planner', { key: 'a' })).toMatchObject({ side: 'primary', reason: 'unknown_cutover' });
  });

  it('are a document that the SDK would take from a server, and change nothing when they come again', async () => {
    const answer = await fixedFlags({ customer: 'shadow', planner: 'primary' }).fetch(new AbortController().signal);
    if (!('document' in answer)) throw new Error('There is no document.');
    expect(checkFlagText(JSON.stringify(servedForm(answer.document as FlagDocument)))).toMatchObject(answer.document);
    const { client } = await clientOn({ customer: 'shadow' });
    const seen: unknown[] = [];
    client.onFlags((flags) => seen.push(flags));
    await client.refresh();
    expect(seen).toEqual([]);
  });
});

describe('outcomes for the tests of an application', () => {
  it('are those that the application recorded, by side', async () => {
    const { client, outcomes } = await clientOn({ customer: 'shadow' });
    client.record({ cutover: 'customer', side: 'shadow', latencyMs: 12, success: true });
    client.record({ cutover: 'customer', side: 'shadow', latencyMs: 15, success: false });
    expect(outcomes.batches).toEqual([]);
    await client.flush();
    expect(outcomes.batches.flatMap(({ windows }) => windows)).toMatchObject([
      { cutover: 'customer', side: 'shadow', count: 2, errors: 1 },
    ]);
  });

  it('count a path that ran, and its fallback', async () => {
    const { client, outcomes } = await clientOn({ planner: 'shadow' });
    const run = {
      cutover: 'planner',
      key: 'k',
      readonly: true,
      primary: () => 'old',
      shadow: () => Promise.reject(new Error('broken')),
    };
    expect(await client.runCutover(run)).toBe('old');
    await client.flush();
    expect(
      outcomes.batches.flatMap(({ windows }) => windows).some(({ side, errors }) => side === 'shadow' && errors === 1),
    ).toBe(true);
  });
});

describe('writes for the tests of an application', () => {
  it('are made by the side that the test names, with what became of them', async () => {
    const forwards = recordedForwards('shadow');
    const flags = fixedFlags({ planner: 'primary' });
    const client = createClient({ flags, outcomes: recordedOutcomes(), forwards, environment: {} });
    const write = { cutover: 'planner', key: 'a', payload: { steps: 1 }, primary: () => 'old', shadow: () => 'new' };
    expect(await client.write(write)).toBe('new');
    const fails = () => Promise.reject(new Error('down'));
    await expect(client.write({ ...write, shadow: fails })).rejects.toThrow('down');
    expect(forwards.writes).toMatchObject([
      { cutover: 'planner', key: 'a', payload: '{"steps":1}', outcome: 'applied' },
      { outcome: 'unknown' },
    ]);
    const alone = recordedForwards('primary', false);
    const other = createClient({ flags, outcomes: recordedOutcomes(), forwards: alone, environment: {} });
    expect(await other.write(write)).toBe('old');
    expect(alone.writes).toMatchObject([{ outcome: null }]);
  });
});
