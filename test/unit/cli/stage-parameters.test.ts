/** The file of a stage: the sample names every parameter, and each value of the table passes its own check. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type ParameterTable, readStageParameters } from '../../../lib/schemas/stage-parameters.ts';
import { ROOT } from '../../helpers/imports.ts';
import { PARAMETERS as GIVEN } from '../../helpers/packaged-template.ts';

const { PARAMETERS } = createRequire(import.meta.url)('../../../infra/parameters.cjs') as {
  PARAMETERS: ParameterTable;
};
const SAMPLE = readFileSync(join(ROOT, 'infra/stages/prod.example.yml'), 'utf8');
const read = (given: unknown) => readStageParameters(given, PARAMETERS, 'stages/prod.yml');

describe('the sample of a stage', () => {
  it('has the parameters that are needed, with the examples of the table, and passes', () => {
    const needed = Object.entries(PARAMETERS).filter(([, { required }]) => required);
    expect(read(parse(SAMPLE))).toEqual(Object.fromEntries(needed.map(([name, { example }]) => [name, example])));
  });

  it('says of each what the table says', () => {
    const said = SAMPLE.replaceAll(/\n# /g, ' ');
    expect(Object.values(PARAMETERS).filter(({ meaning }) => !said.includes(meaning))).toEqual([]);
  });

  it('shows all others with their defaults, which pass as well', () => {
    const whole = parse(SAMPLE.replaceAll(/^# (?=\w+: ")/gm, ''));
    expect(Object.keys(whole).sort()).toEqual(Object.keys(PARAMETERS).sort());
    for (const [name, { required, default: value }] of Object.entries(PARAMETERS))
      if (!required) expect(whole[name], name).toBe(value);
    expect(read(whole)).toEqual(whole);
  });
});

describe('parameters of a stage', () => {
  it('take numbers and truth values for texts, and those that the tests package with', () => {
    const given = { ...parse(SAMPLE), reservedTick: 1, tracing: true };
    expect(read(given)).toMatchObject({ reservedTick: '1', tracing: 'true' });
    const short = Object.fromEntries(Object.entries(GIVEN).filter(([name]) => name in PARAMETERS));
    expect(read(short)).toEqual(short);
  });

  it.each([
    ['an example of another parameter', { vpcId: 'subnet-1' }, /vpcId is 'subnet-1'/],
    ['a password', { databaseUrl: 'postgres://crossfade_runtime:secret@db/app' }, /databaseUrl is/],
    ['an empty needed one', { vpcId: '' }, /vpcId is ''/],
    ['a list', { subnetIds: ['subnet-1'] }, /subnetIds is 'subnet-1'.*separated by commas/],
    ['another name', { vpcid: 'vpc-1' }, /vpcid is no parameter/],
  ])('refuse %s', (_, given, says) => {
    expect(() => read({ ...parse(SAMPLE), ...given })).toThrow(says);
  });

  it.each([null, 'vpcId', ['vpcId']])('refuse %j, which is no mapping', (given) => {
    expect(() => read(given)).toThrow(/stages\/prod\.yml cannot be used/);
  });
});
