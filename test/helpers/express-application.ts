/**
 * The Express application of the SDK's page, as it stands there: it reads its flags from an agent and sends its outcomes to
 * the API, over HTTP. Behind both is a world in memory, whose minutes pass as its requests are answered.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { vi } from 'vitest';
import { httpHandler } from '../../functions/middleware.ts';
import { outcomeRoutes } from '../../functions/outcomes.ts';
import type { Client } from '../../lib/client/client-types.ts';
import { servedForm } from '../../lib/core/routing/flags.ts';
import { ask, inMemoryComposition, tokenOf } from '../property/served.ts';
import { ROOT } from './packaged-template.ts';
import { blocksOf } from './page-blocks.ts';
import { type Replacement, replaceOnce } from './replace-once.ts';
import type { World } from './world.ts';

const PAGE = 'lib/client/README.md';
type Program = { crossfade: Client; server: Server };

export type ExpressApplication = Awaited<ReturnType<typeof expressApplication>>;

/**
 * @param failEvery one read in so many throws on the new side; 0 for none
 * @param changes of the program, for negative controls
 */
export async function expressApplication(world: World, failEvery: number, changes: readonly Replacement[] = []) {
  const directory = mkdtempSync(join(tmpdir(), 'crossfade-express-'));
  const crossfadeSide = await apiAndAgent(world);
  const variables = {
    CROSSFADE_AGENT: crossfadeSide.url,
    CROSSFADE_API: crossfadeSide.url,
    CROSSFADE_TOKEN: tokenOf(['outcomes:write']),
    CROSSFADE_APPCONFIG_APPLICATION: 'crossfade',
    CROSSFADE_APPCONFIG_ENVIRONMENT: 'test',
    CROSSFADE_APPCONFIG_PROFILE: 'flags',
    PORT: '0',
  };
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
  const program = await load(directory, failEvery, changes);
  // A minute may take longer than Node keeps a connection that nothing comes over.
  program.server.keepAliveTimeout = 0;
  const url = `http://127.0.0.1:${await portOf(program.server)}`;
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  const seen = { answers: 0, errors: 0 };
  const one = async (id: string) => {
    const { status, body } = await get(`${url}/customers/${id}`, agent);
    seen.answers += 1;
    if (status !== 200 || body !== JSON.stringify({ id, company: `company ${id}` })) seen.errors += 1;
  };
  const users = counter();
  return {
    seen,
    /** A minute in which so many users ask, spread over its sixteenths. */
    async minute(requests: number): Promise<void> {
      await knows(program.crossfade, world);
      await world.minute(() =>
        Promise.all(Array.from({ length: Math.ceil(requests / 16) }, () => one(`user-${users()}`))),
      );
      await program.crossfade.flush();
    },
    async close(): Promise<void> {
      agent.destroy();
      await program.crossfade.close();
      program.server.closeAllConnections();
      await Promise.all(
        [program.server, crossfadeSide.server].map((server) => new Promise((done) => server.close(done))),
      );
      vi.unstubAllEnvs();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** A busy machine may not bring flags within the 200 ms that a reader waits: they come with a later look. */
async function knows({ refresh, route }: Client, world: World): Promise<void> {
  const [id] = Object.keys(world.served()?.cutovers ?? {});
  if (id === undefined) return;
  const { version } = world.served()!.cutovers[id]!;
  await vi.waitUntil(
    async () => {
      await refresh();
      return route(id).version === version;
    },
    { timeout: 30_000, interval: 20 },
  );
}

/** The program of the page and the reads of its user, bundled as they would be for a container. */
async function load(directory: string, failEvery: number, changes: readonly Replacement[]): Promise<Program> {
  const block = blocksOf({ file: PAGE, text: readFileSync(join(ROOT, PAGE), 'utf8') }).find(({ text }) =>
    text.includes("from 'express'"),
  );
  if (!block) throw new Error(`${PAGE} has no Express application any more.`);
  const source = changes.reduce((text, change) => replaceOnce(text, change, PAGE), block.text);
  writeFileSync(join(directory, 'app.js'), source);
  writeFileSync(join(directory, 'customers.js'), customers(failEvery));
  const outfile = join(directory, 'bundle.mjs');
  await build({
    entryPoints: [join(directory, 'app.js')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    nodePaths: [join(ROOT, 'node_modules')],
    alias: { 'crossfade-client': join(ROOT, 'lib/client/index.ts') },
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
    logLevel: 'silent',
  });
  return import(pathToFileURL(outfile).href);
}

function counter(): () => number {
  let last = 0;
  return () => {
    last += 1;
    return last;
  };
}

const customers = (failEvery: number): string => `
const of = (id) => ({ id, company: 'company ' + id });
let reads = 0;
export const readCustomer = async (id) => of(id);
export async function readCustomerV2(id) {
  reads += 1;
  if (${failEvery} > 0 && reads % ${failEvery} === 0) throw new Error('column "company_name" does not exist');
  return of(id);
}
`;

/** What the agent and the outcomes function answer. */
async function apiAndAgent(world: World) {
  const { composition } = inMemoryComposition(world.cutovers);
  const handler = httpHandler(
    () => ({ ...composition, ports: { ...composition.ports, ...world.ports } }),
    outcomeRoutes,
  );
  const server = createServer(async (incoming, response) => {
    const path = incoming.url!;
    if (path.startsWith('/applications/')) {
      const flags = world.served();
      return void response.writeHead(flags ? 200 : 404).end(JSON.stringify(flags && servedForm(flags)));
    }
    let raw = '';
    for await (const part of incoming) raw += part;
    const headers = incoming.headers as Record<string, string>;
    const answer = await ask(handler, { method: incoming.method!, path, headers, raw, token: null });
    response.writeHead(answer.status, answer.headers).end(answer.text);
  });
  server.listen(0, '127.0.0.1');
  return { server, url: `http://127.0.0.1:${await portOf(server)}` };
}

async function portOf(server: Server): Promise<number> {
  if (!server.listening) await new Promise((resolve) => server.once('listening', resolve));
  return (server.address() as AddressInfo).port;
}

const get = (url: string, agent: Agent): Promise<{ status: number; body: string }> =>
  new Promise((resolve, reject) => {
    request(url, { agent }, (response) => {
      let body = '';
      response.on('data', (part) => {
        body += part;
      });
      response.on('end', () => resolve({ status: response.statusCode!, body }));
    })
      .on('error', reject)
      .end();
  });
