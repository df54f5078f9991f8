/** What `crossfade dev` goes on with: the clock of an older run, and what a database has seen beside what is kept of it. */

import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keptDirectory, resumedOrigin } from '../../../infra/local/kept/kept.ts';
import { ahead, type Mirrored } from '../../../infra/local/kept/mirrored.ts';

describe('a clock that goes on', () => {
  const HOUR_MS = 3_600_000;
  const START_MS = Date.UTC(2026, 5, 1);
  const at = (originMs: number, speed: number, realMs: number) => originMs + (realMs - originMs) * speed;

  it('never goes back, and passes no more than the wall while nothing runs', () => {
    const speed = fc.integer({ min: 2, max: 60 });
    const span = fc.integer({ min: 0, max: 48 * HOUR_MS });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), speed, span, span, (before, now, ranMs, restedMs) => {
        const endedMs = START_MS + ranMs;
        const againMs = endedMs + restedMs;
        const reached = at(START_MS, before, endedMs);
        const origin = resumedOrigin({ originMs: START_MS, speed: before }, endedMs, againMs, now);
        const resumed = at(origin, now, againMs);
        // To the rounding of the origin, times the speed.
        expect(resumed).toBeGreaterThanOrEqual(reached - now);
        expect(resumed).toBeLessThanOrEqual(Math.max(reached, againMs) + now);
      }),
    );
  });

  it('is the real one again where it is not ahead, and refused at its pace where it is', () => {
    const before = { originMs: START_MS, speed: 30 };
    expect(resumedOrigin({ ...before, speed: 1 }, START_MS + HOUR_MS, START_MS + 2 * HOUR_MS, 1)).toBe(
      START_MS + 2 * HOUR_MS,
    );
    expect(resumedOrigin(before, START_MS + HOUR_MS, START_MS + 31 * HOUR_MS, 1)).toBe(START_MS + 31 * HOUR_MS);
    expect(() => resumedOrigin(before, START_MS + HOUR_MS, START_MS + 2 * HOUR_MS, 1)).toThrow(
      'is 28.0 h ahead, since it ran at --speed 30. Go on with --speed 30, or begin again with --fresh.',
    );
  });
});

describe('what the database has seen', () => {
  const seen: Mirrored = { id: 'orders', epoch: 2, version: 7, stage: 'test_1', direction: 'forward' };

  it.each([
    ['the same', [{ id: 'orders', epoch: 2, version: 7 }], []],
    ['less, as after a kill', [{ id: 'orders', epoch: 3, version: 8 }], []],
    [
      'a newer version',
      [{ id: 'orders', epoch: 2, version: 6 }],
      ['orders: test_1, epoch 2, version 7; kept is epoch 2, version 6'],
    ],
    [
      'a newer epoch',
      [{ id: 'orders', epoch: 1, version: 9 }],
      ['orders: test_1, epoch 2, version 7; kept is epoch 1, version 9'],
    ],
    ['what nothing is kept of', [], ['orders: test_1, epoch 2, version 7; nothing is kept of it']],
  ])('may be %s', (_, known, said) => {
    expect(ahead([seen], known)).toEqual(said);
  });

  it('is nothing where a cutover never began', () => {
    expect(ahead([{ ...seen, epoch: 0, version: 0, direction: 'none' }], [])).toEqual([]);
  });
});

it.each([
  ['postgres://me:secret@127.0.0.1:5433/shop', '127.0.0.1-5433-shop'],
  ['postgres://me@db.example.com/a%2Fb', 'db.example.com-5432-a_b'],
])('what is kept of %s lies in %s', (url, name) => {
  expect(keptDirectory('/project', url)).toBe(join('/project/.crossfade/dev', name));
});
