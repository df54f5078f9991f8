import { afterAll, beforeAll, expect, it } from 'vitest';
import { compareStores } from '../../infra/examples/gateway/stores.ts';
import { type Example, gatewayExample } from '../helpers/gateway-example.ts';

let it_: Example;
beforeAll(async () => {
  it_ = await gatewayExample(600);
});
afterAll(() => it_?.stop());

it('probe', async () => {
  const t0 = performance.now();
  const lap = (name: string) => console.log(name, Math.round(performance.now() - t0));
  console.log(await it_.chat('PUT', 'users/1', { body: { name: 'A' } }));
  lap('put');
  console.log(await it_.command('start'));
  lap('start');
  console.log(await it_.chat('PUT', 'users/2', { body: { name: 'A' } }));
  console.log(await it_.chat('POST', 'tasks/2', { body: { kind: 'A' } }));
  lap('w');
  await it_.settled();
  lap('settled');
  console.log(await compareStores(it_.legacy.url, it_.replacement.url));
  console.log(JSON.stringify(await it_.tick()));
  lap('tick');
  console.log(JSON.stringify((await it_.api('/v1/cutovers/chat')).body));
  console.log(await it_.command('advance', { force: true, reason: 'x' }));
  lap('advance');
  console.log(await it_.chat('GET', 'users/1', { key: 'x' }));
  lap('get');
  const s = performance.now();
  await Promise.all(
    Array.from({ length: 8 }, async (_, w) => {
      for (let i = 0; i < 50; i += 1) await it_.chat('GET', 'users/1', { key: `k${w}${i}`, caller: `c${w}` });
    }),
  );
  console.log('400 reads', performance.now() - s);
  const s2 = performance.now();
  await Promise.all(
    Array.from({ length: 8 }, async (_, w) => {
      for (let i = 0; i < 20; i += 1)
        await it_.chat('PUT', `users/w${w}`, { body: { i }, key: `k${w}${i}`, caller: `c${w}` });
    }),
  );
  console.log('160 writes', performance.now() - s2);
  await it_.settled();
  console.log('settled', performance.now() - s2);
  expect(await compareStores(it_.legacy.url, it_.replacement.url)).toEqual([]);
});
