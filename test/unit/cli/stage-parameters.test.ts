/** The file of a stage: the sample names every parameter, and each value of the table passes its own check. */

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type FindProblems, readStageParameters } from '../../../lib/schemas/stage-parameters.ts';
import { ROOT } from '../../helpers/imports.ts';
import { PARAMETERS as GIVEN } from '../../helpers/packaged-template.ts';

const load = createRequire(import.meta.url);
const { PARAMETERS } = load('../../../infra/parameters.cjs') as {
  PARAMETERS: Readonly<Record<string, { required?: true; default?: string; example: string; meaning: string }>>;
};
const { problemsOf } = load('../../../infra/refusals.cjs') as { problemsOf: FindProblems };
const AT = { stage: 'prod', region: 'eu-central-1' };
const SAMPLE = readFileSync(join(ROOT, 'infra/stages/prod.example.yml'), 'utf8');
const read = (file: unknown) => readStageParameters({ file, from: 'stages/prod.yml' }, AT, problemsOf);

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
    expect(read(whole)).toEqual(Object.fromEntries(Object.entries(whole).filter(([, value]) => value !== '')));
  });
});

describe('parameters of a stage', () => {
  it('take numbers and truth values for texts, and those that the tests package with', () => {
    const given = { ...parse(SAMPLE), reservedTick: 1, tracing: true };
    expect(read(given)).toMatchObject({ reservedTick: '1', tracing: 'true' });
    expect(read(GIVEN)).toEqual(GIVEN);
  });

  it('take a list for a text with commas, a mapping for JSON, and nothing for what is not given', () => {
    const subnetIds = ['subnet-0a1b2c3d', 'subnet-1b2c3d4e'];
    const connections = { new: 'postgres://crossfade_shadow@new.example.com/app' };
    expect(read({ ...parse(SAMPLE), subnetIds, connections, alarmEmail: null })).toEqual({
      ...read(parse(SAMPLE)),
      subnetIds: subnetIds.join(),
      connections: JSON.stringify(connections),
    });
  });

  it('are refused with all problems of the file, and where it is', () => {
    const wrong = { ...parse(SAMPLE), vpcId: 'vpc-1', subnetid: 'x', databasePort: [1, 2], jwks: { keys: 1 } };
    expect(() => read(wrong)).toThrow(
      /^stages\/prod\.yml cannot be used:\n {2}subnetid is no parameter.*\n {2}vpcId is 'vpc-1'.*\n {2}databasePort is '1,2'.*\n {2}jwks is about tokens.*\n {2}jwks is no JWKS/,
    );
  });

  it('refuse an empty file: what is needed is missing', () => {
    expect(() => read(null)).toThrow(/databaseUrl is missing[\s\S]*dynamodbPrefixListId is missing/);
  });

  it.each(['vpcId', ['vpcId']])('refuse %j, which is no mapping', (given) => {
    expect(() => read(given)).toThrow(/stages\/prod\.yml cannot be used:\n {2}it is no mapping/);
  });
});
