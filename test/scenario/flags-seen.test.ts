/** Which flags carried which state, as the ticks saw it: each state once, when it was first seen, and none that was not deployed. */

import { expect, it } from 'vitest';
import { MINUTE_MS, world } from '../helpers/world.ts';
import { declarationOf } from '../property/samples.ts';

it('a state is noted with its flags at the first tick that sees them deployed', async () => {
  const w = world({ cutovers: [declarationOf('component')] });
  const seen = async () => (await w.verdicts.read('customer'))?.flagsSeen ?? [];
  await w.operate('customer', { type: 'start' });
  for (let i = 0; i < 17; i += 1) await w.minute();
  const { version, epoch, enteredAtMs } = (await w.state.readCutover('customer'))!;
  const known = await seen();
  expect(known.map((one) => one.version)).toEqual([1, 2]);
  expect(known.at(-1)).toMatchObject({ version, epoch });
  expect(known.at(-1)!.atMs - enteredAtMs).toBeLessThanOrEqual(2 * MINUTE_MS);
  expect(known.at(-1)!.flags).toBeGreaterThan(known[0]!.flags);

  w.flags.unavailable(true);
  await w.operate('customer', { type: 'pause' });
  await w.minute();
  expect(await seen()).toEqual(known);
  w.flags.unavailable(false);
  for (let i = 0; i < 2; i += 1) await w.minute();
  expect((await seen()).slice(0, -1)).toEqual(known);
  expect((await seen()).at(-1)!.version).toBe(version + 1);
});
