/** How a command that a message names is typed: with npx, and to the Crossfade that was asked. */

import { describe, expect, it } from 'vitest';
import { adviser } from '../../../lib/cli/advice.ts';
import { cli, fakeApi, problem } from '../../helpers/fake-api.ts';

const NAMES = ['status', 'start', 'dev', 'rehearse', 'stop'];

describe('a command in a message', () => {
  it.each([
    ['crossfade status orders', {}, 'npx --no-install crossfade status orders'],
    [
      "'crossfade start orders', then 'crossfade status'",
      { port: 4000 },
      "'npx --no-install crossfade --port 4000 start orders', then 'npx --no-install crossfade --port 4000 status'",
    ],
    ['crossfade stop', { url: 'https://api.example' }, 'npx --no-install crossfade --url https://api.example stop'],
    [
      'crossfade stop',
      { url: 'https://api.example', awsProfile: 'ops' },
      'npx --no-install crossfade --url https://api.example --aws-profile ops stop',
    ],
    ['npx --no-install crossfade status', { port: 4000 }, 'npx --no-install crossfade --port 4000 status'],
    ['crossfade dev --fresh', { port: 4000 }, 'npx --no-install crossfade dev --fresh'],
    ['crossfade rehearse a', { port: 4000 }, 'npx --no-install crossfade rehearse a'],
    ['schema crossfade does not exist', {}, 'schema crossfade does not exist'],
    ['.crossfade/env and crossfade.config.ts', {}, '.crossfade/env and crossfade.config.ts'],
    ['crossfade starts', {}, 'crossfade starts'],
  ])('%s, after %j, is typed so', (text, options, typed) => {
    expect(adviser(NAMES, options)(text)).toBe(typed);
    expect(adviser(NAMES, options)(typed)).toBe(typed);
  });

  it('has the port that was typed, in what is printed, in hints and in JSON, and is one that is taken', async () => {
    const api = await fakeApi({ 'GET /v1/cutovers/orders': problem('not_found', "See 'crossfade status'.") });
    const env = { CROSSFADE_TOKEN: 't' };
    const words = ['explain', 'orders', '--url', api.url];
    const advised = `npx --no-install crossfade --url ${api.url} status`;
    const { err } = await cli(words, { env, width: 200 });
    expect(err).toContain(`See '${advised}'.`);
    expect(err).toContain(`Next: ${advised}, which lists`);
    expect(JSON.parse((await cli([...words, '--json'], { env })).out).error.next).toContain(advised);
    api.routes['GET /v1/cutovers'] = { body: { cutovers: [] } };
    await cli(['--url', api.url, 'status', '--json'], { env });
    expect(api.asked.at(-1)?.path).toBe('/v1/cutovers');
    await api.close();
  });
});

describe('the hint of a refusal', () => {
  const env = { CROSSFADE_TOKEN: 't' };
  async function next(words: readonly string[], path: string, code: 'held' | 'conflict') {
    const api = await fakeApi({
      'GET /v1/cutovers/orders': { body: { version: 3 } },
      'GET /v1/phases': { body: { version: 3, phases: [] } },
      [`POST ${path}`]: problem(code, 'Not now.'),
    });
    const { out } = await cli([...words, '--url', api.url, '--json'], { env });
    await api.close();
    return (JSON.parse(out) as { error: { next: string } }).error.next.replaceAll(` --url ${api.url}`, '');
  }
  const crossfade = 'npx --no-install crossfade';

  it.each([
    [['advance', 'orders'], 'advance', `; ${crossfade} advance orders --force --reason '…' goes on without them`],
    [['start', 'orders'], 'start', ''],
  ])('of %j offers force where there is one', async (words, name, more) => {
    const path = `/v1/cutovers/orders/${name}`;
    expect(await next(words, path, 'held')).toBe(`${crossfade} explain orders, which shows every condition${more}`);
  });

  it('names the cutover, whatever stands before it', async () => {
    const words = ['reads', 'primary', 'orders', '--reason', 'slow'];
    expect(await next(words, '/v1/cutovers/orders/reads', 'conflict')).toBe(`${crossfade} status orders`);
  });
});
