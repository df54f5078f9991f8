/** Replays of recorded minutes: the samples with what is expected of them, and files that are not what they should be. */

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { replay } from '../../lib/core/replay.ts';
import { readTrace } from '../../lib/schemas/replay.ts';
import { cli } from '../helpers/fake-api.ts';

const FOLDER = join(import.meta.dirname, '../fixtures/replay');
const read = (file: string) => readFileSync(join(FOLDER, file), 'utf8');

describe.each(readdirSync(FOLDER))('the sample %s', (file) => {
  it('gets the verdicts that are expected of it', () => {
    const { expect: expected } = JSON.parse(read(file));
    const minutes = [...replay(readTrace(read(file), file))];
    const advance = minutes.find(({ verdict }) => verdict === 'advance')?.minute ?? Number.POSITIVE_INFINITY;
    const rollback = minutes.find(({ verdict }) => verdict === 'rollback')?.minute ?? Number.POSITIVE_INFINITY;
    if (expected.mustNotRollback) expect(rollback).toBe(Number.POSITIVE_INFINITY);
    if (expected.mustNotAdvance) expect(advance).toBe(Number.POSITIVE_INFINITY);
    if (expected.mustAdvanceByMinute) expect(advance).toBeLessThanOrEqual(expected.mustAdvanceByMinute);
    if (expected.mustRollbackByMinute) expect(rollback).toBeLessThanOrEqual(expected.mustRollbackByMinute);
    if (expected.mustNotRollbackBeforeMinute)
      expect(rollback).toBeGreaterThanOrEqual(expected.mustNotRollbackBeforeMinute);
    if (expected.mustNotAdvanceBeforeRollback) expect(advance).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('crossfade replay', () => {
  it('answers with one JSON object by id, and ends a trace at its first rollback', async () => {
    const { exit, out } = await cli(['replay', join(FOLDER, 'errors-plus-10pp.json'), '--json']);
    expect(exit).toBe(0);
    const minutes = JSON.parse(out)['20-errors-plus-10pp'];
    expect(minutes.map(({ minute }: { minute: number }) => minute)).toEqual([1, 2, 3]);
    expect(minutes[2]).toMatchObject({ verdict: 'rollback', reasons: [{ code: 'errors', limit: 0.01 }] });
  });

  it.each([
    ['{', /is not JSON/],
    ['{"id":"x","stage":{"share":2},"rows":[]}', /stage\.share/],
    ['{"id":"x","stage":{"share":0.1},"rows":[{"minute":1.5,"path":"primary"}]}', /rows\.0\.minute/],
    ['{"id":"x","stage":{"share":0.1},"config":{"errorRateRollback":7},"rows":[]}', /config\.errorRateRollback/],
  ])('refuses %s with the file, the path and the reason', async (text, why) => {
    const directory = mkdtempSync(join(tmpdir(), 'crossfade-replay-'));
    try {
      const file = join(directory, 'bad.json');
      writeFileSync(file, text);
      const { exit, err } = await cli(['replay', file]);
      expect(exit).toBe(2);
      expect(err).toMatch(why);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
