/** Serves the dashboard the way its function does, with figures and answers that a test can change. */

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { cutoverData, dashboardData } from '../../lib/dashboard/data.ts';
import { asset, renderPage } from '../../lib/dashboard/page.ts';
import type { Scene } from './dashboard-reports.ts';

type Posted = { path: string; headers: IncomingMessage['headers']; body: unknown };

export type DashboardServer = {
  url: string;
  /** What `dashboard/data` answers from now on: figures, or a failure of this status, or never. */
  answer: { scene: Scene } | { status: number; detail: string } | 'never';
  /** What the emergency stop answers from now on. */
  stopAnswer: { status: number; body: unknown };
  /** Answers to commands wait until the publisher was asked. */
  waitsForPublisher: boolean;
  /** What the API answers to other questions, by path and query. */
  api: Readonly<Record<string, unknown>>;
  /** All but the requests to the publisher. */
  posted: Posted[];
  /** How often the figures of all were asked for. */
  asked: number;
  /** The page as sent; a test may break it to see that its own checks notice. */
  page: { html: string; headers: Record<string, string> };
  close(): Promise<void>;
};

export async function dashboardServer(answer: DashboardServer['answer']): Promise<DashboardServer> {
  let publisherIsAsked = () => {};
  const server = createServer(async (request, response) => {
    const send = (status: number, headers: Record<string, string>, body: string) =>
      response.writeHead(status, headers).end(body);
    const json = (status: number, body: unknown) =>
      send(status, { 'content-type': 'application/json' }, JSON.stringify(body));
    const { pathname: path, searchParams, search } = new URL(request.url ?? '/', 'http://localhost');
    if (request.method === 'POST' && path === '/v1/flags/publish') {
      publisherIsAsked();
      return json(200, { version: 1 });
    }
    if (request.method === 'POST') {
      self.posted.push({ path, headers: request.headers, body: JSON.parse(await textOf(request)) });
      if (self.waitsForPublisher)
        await new Promise<void>((asked) => {
          publisherIsAsked = asked;
        });
      return json(self.stopAnswer.status, self.stopAnswer.body);
    }
    if (path === '/') {
      return send(200, self.page.headers, self.page.html);
    }
    if (path === '/dashboard/data') {
      if (!searchParams.has('cutover')) self.asked += 1;
      if (self.answer === 'never') return;
      if ('status' in self.answer) return json(self.answer.status, { detail: self.answer.detail });
      const id = searchParams.get('cutover');
      const { scene } = self.answer;
      // As the function answers it: a page may still ask for a cutover of the scene before.
      if (id !== null && !scene.report.cutovers.some((cutover) => cutover.id === id))
        return json(404, { detail: `There is no cutover '${id}'.` });
      return json(200, await figuresOf(scene, id));
    }
    const known = self.api[decodeURIComponent(`${path}${search}`)];
    if (known !== undefined) return json(200, known);
    const file = path.startsWith('/dashboard/assets/') ? asset(path.slice('/dashboard/assets/'.length)) : null;
    return file ? send(200, file.headers, file.body) : send(404, {}, '');
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const self: DashboardServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    answer,
    stopAnswer: { status: 200, body: { cutovers: [], published: true } },
    waitsForPublisher: false,
    api: {},
    posted: [],
    asked: 0,
    page: renderPage(),
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
  return self;
}

async function figuresOf({ report, one, audit, alerts }: Scene, id: string | null) {
  if (id === null) return dashboardData(report, audit, alerts);
  const own = audit.filter(({ subject }) => subject === id);
  return cutoverData({ ...(await one(id)), atMs: report.atMs }, own, alerts);
}

async function textOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}
