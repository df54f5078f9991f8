/**
 * The API of the local stack as it is: the HTTP server of serverless-offline with the options of infra/settings.cjs, in this
 * process. It makes the events; a handler of the test gets them, where the bundle of a function would.
 */

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const ROOT = join(import.meta.dirname, '../..');
const HTTP = join(ROOT, 'node_modules/serverless-offline/src/events/http/HttpServer.js');

type Served = { method: string; path: string };
type Settings = { offline: object };
type Offline = {
  createServer(): Promise<void>;
  createRoutes(name: string, event: object, handler: string): void;
  start(): Promise<void>;
  stop(): Promise<void>;
  getServer(): { info: { port: number } };
};

export type LocalApi = { url: string; events: object[]; stop(): Promise<void> };

/** @param handle what `event` is answered with, as a function answers */
export async function localApi(
  routes: readonly Served[],
  handle: (event: object) => Promise<unknown>,
): Promise<LocalApi> {
  const settingsOf = createRequire(import.meta.url)(join(ROOT, 'infra/settings.cjs')) as (
    with_: object,
  ) => Promise<Settings>;
  const settings = await settingsOf({ resolveVariable: async () => 'local' });
  const { default: OfflineServer } = (await import(pathToFileURL(HTTP).href)) as {
    default: new (...parts: object[]) => Offline;
  };
  const serverless = {
    service: { provider: { name: 'aws', stage: 'local' } },
    config: { servicePath: ROOT },
  };
  const events: object[] = [];
  const lambda = {
    get: () => {
      let event: object;
      return {
        setEvent: (made: object) => {
          // As it comes to the function: in another process, through JSON.
          event = JSON.parse(JSON.stringify(made)) as object;
          events.push(event);
        },
        runHandler: () => handle(event),
      };
    },
  };
  const server = new OfflineServer(serverless, { ...settings.offline, httpPort: 0, stage: 'local' }, lambda);
  await server.createServer();
  for (const { method, path } of routes) {
    const event = { isHttpApi: true, payload: '2.0', routeKey: `${method} ${path}` };
    server.createRoutes('function', event, 'dist/function/index.handler');
  }
  await server.start();
  return { url: `http://127.0.0.1:${server.getServer().info.port}`, events, stop: () => server.stop() };
}
