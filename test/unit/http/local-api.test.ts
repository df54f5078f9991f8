/** The gateway behind the API of the local stack, over HTTP: what that server makes of a request and an answer is its own. */

import { request } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { gatewayRoutes } from '../../../functions/gateway.ts';
import { type GatewayBench, gatewayBench } from '../../helpers/gateway-bench.ts';
import { type LocalApi, localApi } from '../../helpers/local-api.ts';
import { tokenOf } from '../../property/served.ts';

let made: GatewayBench;
let api: LocalApi;

beforeAll(async () => {
  made = await gatewayBench({
    primary: ({ method, path }, response) => {
      const status = path.endsWith('/nothing') ? 204 : 200;
      if (method === 'HEAD' && path.endsWith('/long'))
        return void response.writeHead(200, { 'content-length': '1234' }).end();
      const headers = { 'content-type': 'text/plain', 'set-cookie': ['a=1; Path=/', 'b=2; HttpOnly'] };
      response.writeHead(status, headers).end(status === 204 ? undefined : `${method} ${path}`);
    },
  });
  api = await localApi(gatewayRoutes, (event) => made.result(event));
});
afterAll(async () => {
  await api.stop();
  await made.close();
});
beforeEach(() => {
  made.primary.asked.length = 0;
});

const headers = () => ({ authorization: `Bearer ${tokenOf()}` });
const call = (path: string, init: RequestInit = {}) =>
  fetch(`${api.url}/gateway/chat/${path}`, { ...init, headers: { ...headers(), ...init.headers } });

describe('S8: behind the API of the local stack', () => {
  it.each(['GET', 'HEAD', 'DELETE', 'POST', 'PUT', 'PATCH'])('%s without a body reaches its side', async (method) => {
    const answer = await call('a%20b/c?x=1&y=%2F', { method });
    expect([answer.status, await answer.text()]).toEqual([
      200,
      method === 'HEAD' ? '' : `${method} /old/a%20b/c?x=1&y=%2F`,
    ]);
    expect(made.primary.asked).toMatchObject([{ method, path: '/old/a%20b/c?x=1&y=%2F' }]);
    expect(made.primary.asked[0]!.body).toHaveLength(0);
    expect(api.events.at(-1)).toMatchObject({ body: null });
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE'])('%s with a body brings it', async (method) => {
    const body = JSON.stringify({ say: 'grüße' });
    const answer = await call('x', { method, body, headers: { 'content-type': 'application/json' } });
    expect(answer.status).toBe(200);
    expect(made.primary.asked.map((asked) => asked.body.toString())).toEqual([body]);
  });

  it('an upload in chunks arrives whole, and without the coding of its way here', async () => {
    const answer = await new Promise<{ status: number }>((resolve, reject) => {
      const sent = request(`${api.url}/gateway/chat/x`, { method: 'POST', headers: headers() }, (response) => {
        response.resume().on('end', () => resolve({ status: response.statusCode! }));
      });
      sent.on('error', reject);
      for (const part of ['one, ', 'two, ', 'three']) sent.write(part);
      sent.end();
    });
    expect(answer.status).toBe(200);
    expect(api.events.at(-1)).toMatchObject({ headers: { 'transfer-encoding': 'chunked', 'content-length': '15' } });
    const [asked] = made.primary.asked;
    expect(asked!.body.toString()).toBe('one, two, three');
    expect(asked!.headers).toMatchObject({ 'content-length': '15' });
    expect(asked!.headers).not.toHaveProperty('transfer-encoding');
  });

  it('cookies come and go, of any form', async () => {
    const answer = await call('x', { headers: { cookie: 'a=1; odd="x y"; {b}=[2]' } });
    expect(answer.status).toBe(200);
    expect(made.primary.asked[0]!.headers.cookie).toBe('a=1; odd="x y"; {b}=[2]');
    expect(answer.headers.getSetCookie()).toEqual(['a=1; Path=/', 'b=2; HttpOnly']);
  });

  it('HEAD says how long the answer to GET is', async () => {
    const answer = await call('long', { method: 'HEAD' });
    expect([answer.status, answer.headers.get('content-length')]).toEqual([200, '1234']);
  });

  it('a preflight reaches the function without a token; the status is of that server', async () => {
    const asked = { origin: 'https://app.test', 'access-control-request-method': 'PUT' };
    const answer = await fetch(`${api.url}/gateway/chat/x`, { method: 'OPTIONS', headers: asked });
    expect([answer.status, await answer.json()]).toMatchObject([200, { code: 'method_not_allowed' }]);
  });

  it('nothing is an answer', async () => {
    const answer = await call('nothing');
    expect([answer.status, await answer.text()]).toEqual([204, '']);
  });

  it('the functions say who may not in, as everywhere', async () => {
    const answer = await call('x', { headers: { authorization: 'Bearer x' } });
    expect([answer.status, await answer.json()]).toMatchObject([401, { code: 'unauthenticated' }]);
    expect(made.primary.asked).toEqual([]);
  });
});
