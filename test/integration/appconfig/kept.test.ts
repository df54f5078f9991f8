/** An emulator with a file goes on where another one ended: what was deployed, and all ids that readers have. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { flagOf, systemFlagOf } from '../../property/samples.ts';
import { deploy, stage, store, subject } from './harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'crossfade-appconfig-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('serves what was deployed, under the ids that it had', async () => {
  const file = join(folder, 'appconfig.json');
  const first = await stage({ file });
  const own = await subject(first);
  await deploy(own, await store(own, { system: systemFlagOf(), cutovers: { customer: flagOf({ version: 3 }) } }));
  const path = `/applications/${own.ids.application}/environments/${own.ids.environment}/configurations/${own.ids.profile}`;
  const served = async (url: string) => (await fetch(`${url}${path}`)).text();
  const before = await served(first.server.agentUrl);
  expect(before).toContain('customer');
  await first.stop();

  const second = await stage({ file });
  expect(await served(second.server.agentUrl)).toBe(before);
  expect((await subject(second)).ids).toEqual(own.ids);
  await second.stop();

  const other = await stage({ file: join(folder, 'other.json') });
  expect((await fetch(`${other.server.agentUrl}${path}`)).status).toBe(404);
  await other.stop();
});
