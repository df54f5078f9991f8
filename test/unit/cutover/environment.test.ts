/** Row 68: the environment of the functions, with everything that is missing or wrong named at once. */

import { describe, expect, it } from 'vitest';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import { readEnvironment } from '../../../lib/schemas/environment.ts';

const GOOD = {
  CROSSFADE_STATE_TABLE: 'crossfade-state',
  CROSSFADE_CHANGES_TABLE: 'crossfade-changes',
  CROSSFADE_APPCONFIG_APPLICATION: 'crossfade',
  CROSSFADE_APPCONFIG_ENVIRONMENT: 'prod',
  CROSSFADE_APPCONFIG_PROFILE: 'flags',
  CROSSFADE_JWT_ISSUER: 'https://issuer.test',
  CROSSFADE_JWT_AUDIENCE: 'crossfade',
};

function problems(over: Record<string, string | undefined>): readonly string[] {
  try {
    readEnvironment({ ...GOOD, ...over });
  } catch (error) {
    if (error instanceof CrossfadeError && error.code === 'invalid_config') return error.details.problems as string[];
    throw error;
  }
  return [];
}

describe('the environment', () => {
  it('that is complete is taken, with defaults that suit AWS', () => {
    expect(readEnvironment(GOOD)).toMatchObject({
      CROSSFADE_PROFILE: 'aws',
      CROSSFADE_CLOCK_SPEED: 1,
      CROSSFADE_LOG_LEVEL: 'info',
    });
  });

  it('that is empty names every variable it needs, and no value', () => {
    expect(() => readEnvironment({})).toThrow(CrossfadeError);
    const missing = problems(Object.fromEntries(Object.keys(GOOD).map((name) => [name, undefined])));
    expect(missing.map((problem) => problem.split(':')[0]).sort()).toEqual(Object.keys(GOOD).sort());
  });

  it.each(Object.keys(GOOD))('without %s names just that', (name) => {
    expect(problems({ [name]: undefined })).toEqual([expect.stringMatching(new RegExp(`^${name}: `))]);
    expect(problems({ [name]: '' })).toEqual([expect.stringMatching(new RegExp(`^${name}: `))]);
  });

  it.each([
    ['CROSSFADE_STATE_TABLE', 'a table'],
    ['CROSSFADE_STATE_TABLE', 'ab'],
    ['CROSSFADE_CHANGES_TABLE', 'x'.repeat(256)],
    ['CROSSFADE_PROFILE', 'production'],
    ['CROSSFADE_CLOCK_SPEED', '0'],
    ['CROSSFADE_CLOCK_SPEED', '-1'],
    ['CROSSFADE_CLOCK_SPEED', 'fast'],
    ['CROSSFADE_LOG_LEVEL', 'loud'],
  ])('with %s = %j is refused', (name, value) => {
    expect(problems({ [name]: value })).toEqual([expect.stringMatching(new RegExp(`^${name}: `))]);
  });

  it('of functions behind IAM names no issuer', () => {
    const { CROSSFADE_JWT_ISSUER: _, CROSSFADE_JWT_AUDIENCE: __, ...rest } = GOOD;
    expect(readEnvironment({ ...rest, CROSSFADE_ACCESS: 'iam' })).toMatchObject({ CROSSFADE_ACCESS: 'iam' });
  });

  it('takes an empty optional variable as none', () => {
    expect(readEnvironment({ ...GOOD, CROSSFADE_DATABASE_URL: '' }).CROSSFADE_DATABASE_URL).toBeUndefined();
  });

  it('never shows the value of what it refuses', () => {
    const refused = () =>
      readEnvironment({ ...GOOD, CROSSFADE_STATE_TABLE: 'pass word', CROSSFADE_LOG_LEVEL: 'hunter2' });
    expect(refused).toThrow(/CROSSFADE_STATE_TABLE.*CROSSFADE_LOG_LEVEL/);
    expect(refused).not.toThrow(/hunter2|pass word/);
  });

  it('gives connections their addresses, as JSON', () => {
    const given = readEnvironment({ ...GOOD, CROSSFADE_CONNECTIONS: '{"new": "postgres://db.test/app"}' });
    expect(given.CROSSFADE_CONNECTIONS).toEqual({ new: 'postgres://db.test/app' });
    expect(readEnvironment({ ...GOOD, CROSSFADE_CONNECTIONS: '' }).CROSSFADE_CONNECTIONS).toEqual({});
    for (const wrong of ['new=postgres://db.test/app', '[]', '{"new": 5}'])
      expect(problems({ CROSSFADE_CONNECTIONS: wrong })[0]).toContain('JSON that gives each name its address');
  });
});
