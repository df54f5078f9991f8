import { CreateHostedConfigurationVersionCommand } from '@aws-sdk/client-appconfig';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { storedFlags } from '../../../lib/adapters/appconfig/document.ts';
import { someFlags } from '../../helpers/contracts/flags.ts';
import { deploy, type Stage, type Subject, stage, store, subject } from './harness.ts';

let on: Stage;
let own: Subject;
beforeEach(async () => {
  on = await stage();
  own = await subject(on);
});
afterEach(() => on.stop());

const flagsOf = (attributes: object, value: object) =>
  JSON.stringify({
    version: '1',
    flags: { beta: { name: 'beta', attributes } },
    values: { beta: { enabled: true, ...value } },
  });
const constrained = (constraints: object) => ({ limit: { constraints } });
const numbered = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`a${n}`, n]));
const definitions = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`a${n}`, {}]));
const list = constrained({ type: 'array', elements: { type: 'string' } });

describe('what a feature flag profile takes', () => {
  it.each([
    ['an empty set', '{"version":"1","flags":{},"values":{}}'],
    ['25 attributes', flagsOf(definitions(25), numbered(25))],
    ['25 entries of 1024 characters', flagsOf(list, { limit: Array.from({ length: 25 }, () => 'x'.repeat(1024)) })],
    ['numbers at their limits', flagsOf(constrained({ type: 'number', minimum: 0, maximum: 5 }), { limit: 5 })],
    ['a pattern that matches', flagsOf(constrained({ type: 'string', pattern: '^a+$' }), { limit: 'aaa' })],
    ['an optional attribute left out', flagsOf(constrained({ type: 'number' }), {})],
    ['the flags of this product', storedFlags(someFlags())],
  ])('%s', async (_what, content) => {
    expect(await store(own, content)).toBe(1);
  });

  it.each([
    ['something that is no JSON', 'nope', /not a JSON object/],
    ['another version', '{"version":"2","flags":{},"values":{}}', /version is "2"/],
    ['keys nobody knows', '{"version":"1","flags":{},"values":{},"extra":1}', /document\.extra/],
    ['names with a capital letter', '{"version":"1","flags":{"Beta":{}},"values":{}}', /flags\.Beta does not match/],
    ['names of 65 characters', `{"version":"1","flags":{"${'a'.repeat(65)}":{}},"values":{}}`, /does not match/],
    ['26 attributes', flagsOf(definitions(26), {}), /26 attributes, at most 25/],
    ['26 entries', flagsOf(list, { limit: Array.from({ length: 26 }, () => 'x') }), /26 entries, at most 25/],
    ['entries of 1025 characters', flagsOf(list, { limit: ['x'.repeat(1025)] }), /1025 characters, at most 1024/],
    ['texts of 1025 characters', flagsOf(constrained({ type: 'string' }), { limit: 'x'.repeat(1025) }), /1025/],
    ['a value without its flag', '{"version":"1","flags":{},"values":{"beta":{"enabled":true}}}', /has no flag/],
    ['a value without enabled', '{"version":"1","flags":{"beta":{}},"values":{"beta":{}}}', /enabled is not a boolean/],
    ['an attribute nobody defined', flagsOf({}, { limit: 1 }), /limit is not known/],
    ['a required attribute left out', flagsOf(constrained({ type: 'number', required: true }), {}), /is required/],
    ['a number above its maximum', flagsOf(constrained({ type: 'number', maximum: 5 }), { limit: 6 }), /violates/],
    ['a text in place of a number', flagsOf(constrained({ type: 'number' }), { limit: '6' }), /violates/],
    [
      'a word that is not in the enum',
      flagsOf(constrained({ type: 'string', enum: ['a'] }), { limit: 'b' }),
      /violates/,
    ],
    ['a constraint of no known type', flagsOf(constrained({ type: 'object' }), {}), /the type "object"/],
    [
      'an empty list, which fits the published schema twice',
      flagsOf(constrained({ type: 'array' }), { limit: [] }),
      /both/,
    ],
    ['a list of texts and numbers', flagsOf(constrained({ type: 'array' }), { limit: ['a', 1] }), /either texts or/],
    ['an object for a value', flagsOf(constrained({ type: 'string' }), { limit: {} }), /a value is a text/],
    ['a pattern beside an enum', flagsOf(constrained({ type: 'string', pattern: 'a', enum: ['a'] }), {}), /both/],
  ])('not %s', async (_what, content, problem) => {
    await expect(store(own, content)).rejects.toMatchObject({ name: 'BadRequestException' });
    await expect(store(own, content)).rejects.toThrow(problem);
  });

  it('not another content type', async () => {
    const create = new CreateHostedConfigurationVersionCommand({
      ...own.inProfile,
      ContentType: 'application/x-yaml',
      Content: new TextEncoder().encode(storedFlags(someFlags())),
    });
    await expect(on.control.send(create)).rejects.toMatchObject({ name: 'BadRequestException' });
  });
});

describe('what readers are served', () => {
  const agent = async (query = '') => {
    const path = `/applications/${own.ids.application}/environments/local/configurations/flags${query}`;
    return fetch(`${on.server.agentUrl}${path}`);
  };

  it('the values alone, by flag, without the bookkeeping of the console', async () => {
    const content = {
      version: '1',
      flags: { beta: { name: 'Beta', attributes: { limit: {} }, _createdAt: 'then' } },
      values: { beta: { enabled: true, limit: 3, _createdAt: 'then', _updatedAt: 'now' } },
    };
    await deploy(own, await store(own, JSON.stringify(content)));
    expect(await (await agent()).json()).toEqual({ beta: { enabled: true, limit: 3 } });
  });

  it('of a disabled flag nothing but that', async () => {
    const content = {
      version: '1',
      flags: { beta: { name: 'Beta', attributes: { limit: {} } } },
      values: { beta: { enabled: false, limit: 3 } },
    };
    await deploy(own, await store(own, JSON.stringify(content)));
    expect(await (await agent()).json()).toEqual({ beta: { enabled: false } });
  });

  it('some flags only, when the agent is asked for some', async () => {
    await deploy(own, await store(own, someFlags()));
    expect(Object.keys((await (await agent('?flag=system')).json()) as object)).toEqual(['system']);
    expect((await agent('?flag=nothing')).status).toBe(400);
  });
});
