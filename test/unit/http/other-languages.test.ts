/** The examples in other languages, run against the functions: they route, fall back, and their outcomes are counted. */

import { execFile, spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Route } from '../../../functions/http/route.ts';
import { httpHandler } from '../../../functions/middleware.ts';
import { outcomeRoutes } from '../../../functions/outcomes.ts';
import { routingRoutes } from '../../../functions/route.ts';
import { inShare } from '../../../lib/core/routing/routing.ts';
import { routingService } from '../../../lib/routing/service.ts';
import { declarationOf, flagOf, NOW, systemFlagOf } from '../../property/samples.ts';
import { ask, inMemoryComposition, type Served, tokenOf } from '../../property/served.ts';

const EXAMPLES = fileURLToPath(new URL('../../../infra/examples/other-languages/', import.meta.url));
const MINUTE = Math.floor(NOW / 60_000);
const run = promisify(execFile);

let served: Served;
let server: Server;
let directory: string;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'crossfade-language-'));
  served = inMemoryComposition([declarationOf('table')]);
  const flags = { system: systemFlagOf(), cutovers: { customer: flagOf({ read_ppm: 500_000, slices: [500_000] }) } };
  const router = routingService({
    source: { fetch: async () => ({ document: flags }) },
    environment: {},
    elapsedMs: () => 0,
    refused: () => {},
  });
  const routes = [...outcomeRoutes, ...(routingRoutes as readonly unknown[] as Route[])];
  const handler = httpHandler(
    () => ({ ...served.composition, router }) as unknown as typeof served.composition,
    routes,
  );
  server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part);
    const headers = request.headers as Record<string, string>;
    const raw = Buffer.concat(parts).toString();
    const answer = await ask(handler, { method: request.method!, path: request.url!, headers, raw, token: null });
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.text);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  rmSync(directory, { recursive: true, force: true });
});

const environment = () => ({
  ...process.env,
  CROSSFADE_API: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  CROSSFADE_TOKEN: tokenOf(['route:read', 'outcomes:write']),
});

/** Twenty keys; every read of the shadow fails. */
async function counted() {
  const windows = await served.windows.readParts('customer', MINUTE, MINUTE);
  return windows.map(({ slice, window: { side, count, errors } }) => [slice, side, count, errors]);
}
const onShadow = Array.from({ length: 20 }, (_, n) => inShare('customer', `key-${n}`, 500_000)).filter(Boolean).length;
const EXPECTED = [
  [1, 'primary', 20 - onShadow, 0],
  [0, 'shadow', onShadow, onShadow],
];

describe('the example in', () => {
  it('Python', async () => {
    const script = `
import sys
sys.path.insert(0, ${JSON.stringify(EXAMPLES)})
sys.dont_write_bytecode = True
from client import flush, read
print([read("customer", f"key-{n}", lambda: "old", lambda: 1 / 0) for n in range(20)].count("old"), flush()["accepted"])`;
    const { stdout } = await run('python3', ['-c', script], { env: environment() });
    expect(stdout.trim()).toBe('20 2');
    expect(await counted()).toEqual(EXPECTED);
  });

  // Where there is a compiler.
  const hasGo = spawnSync('go', ['version']).status === 0;
  if (hasGo)
    it('Go', async () => {
      copyFileSync(join(EXAMPLES, 'client.go'), join(directory, 'client.go'));
      writeFileSync(join(directory, 'go.mod'), 'module crossfade\n\ngo 1.18\n');
      writeFileSync(
        join(directory, 'client_test.go'),
        `package crossfade

import ("errors"; "fmt"; "testing")

func TestReads(t *testing.T) {
	for n := 0; n < 20; n++ {
		value, err := Read("customer", fmt.Sprintf("key-%d", n),
			func() (string, error) { return "old", nil },
			func() (string, error) { return "", errors.New("broken") })
		if value != "old" || err != nil { t.Fatal(value, err) }
	}
	if err := Flush(); err != nil { t.Fatal(err) }
}
`,
      );
      await run('go', ['test', './...'], { cwd: directory, env: environment() });
      expect(await counted()).toEqual(EXPECTED);
    });
});
