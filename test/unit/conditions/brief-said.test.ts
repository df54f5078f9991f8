/** A condition in a few words, at the edges of every case, as a page. */

import { expect, it } from 'vitest';
import { briefText } from '../../../lib/core/conditions/brief.ts';
import { condition } from '../../../lib/core/conditions/condition.ts';
import { releaseText, WAIT_KINDS, waitsAbout } from '../../../lib/core/conditions/release.ts';
import { combinations, said } from '../../helpers/said.ts';

it('of every sort of condition', async () => {
  const cases = combinations({
    code: ['dwell', 'proof_errors', 'samples', 'regression', 'lag', 'latency_p95'],
    seen: [null, 0, 0.15, 1_234],
    limit: [null, 3_000],
    aboutMinutes: [undefined, null, 12],
  }).filter(({ code, aboutMinutes }) => aboutMinutes === undefined || /^(proof|samples|lag)/.test(code));
  await expect(
    said('in a few words', cases, ({ code, seen, limit, aboutMinutes }) =>
      briefText(
        condition(
          code as 'samples',
          { ok: false, seen, limit, release: waitsAbout(WAIT_KINDS[0]!, aboutMinutes) } as never,
        ),
        code === 'dwell' ? '' : ' ',
      ),
    ),
  ).toMatchFileSnapshot('../../fixtures/said/brief.txt');
});

it('of what releases it', async () => {
  const times = [
    ...[0, 1, 29_999, 30_000, 60_000, 119_999, 3_600_000].map((etaMs) => ({ etaMs })),
    ...[0, 1, 1_763_712_720_000].map((untilMs) => ({ untilMs })),
    ...[null, 0, 0.4, 1, 59, 60, 61, 3_000].map((aboutMinutes) => ({ aboutMinutes })),
    {},
  ];
  await expect(
    said(
      'in sentences',
      WAIT_KINDS.flatMap((wait, i) => (i < 2 ? times : times.slice(4, 9)).map((time) => ({ wait, ...time }))),
      (one) => releaseText([one]),
    ),
  ).toMatchFileSnapshot('../../fixtures/said/releases.txt');
});
