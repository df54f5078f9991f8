/** What the page costs: its figures ask each store for a list of everything once. */

import { expect, it } from 'vitest';
import { pageRoutes } from '../../../functions/dashboard.ts';
import { httpHandler } from '../../../functions/middleware.ts';
import { fullReport } from '../../../lib/flows/report/performance.ts';
import type { Ports } from '../../../lib/ports/ports.ts';
import { firing } from '../../helpers/contracts/alerts.ts';
import { declarationOf } from '../../property/samples.ts';
import { ask, inMemoryComposition } from '../../property/served.ts';

const CUTOVERS = [declarationOf('component', { id: 'a' }), declarationOf('service', { id: 'b' })];

/** With an alert, and every call of the stores counted. */
async function counted() {
  const served = inMemoryComposition(CUTOVERS);
  await served.alerts.write(firing(), 0);
  const calls: Record<string, number> = {};
  const counting = <Port extends object>(name: string, port: Port): Port =>
    new Proxy(port, {
      get: (target, call: string) => {
        calls[`${name}.${call}`] = (calls[`${name}.${call}`] ?? 0) + 1;
        return target[call as keyof Port];
      },
    });
  const { ports } = served.composition;
  const through: Ports = {
    ...ports,
    state: counting('state', ports.state),
    alerts: counting('alerts', ports.alerts),
    flags: counting('flags', ports.flags),
    inspecting: counting('inspecting', ports.inspecting),
  };
  return { ...served, composition: { ...served.composition, ports: through }, calls };
}

const ONCE = { 'state.readAll': 1, 'state.readSystem': 1, 'alerts.readAll': 1, 'flags.deployed': 1 };

it('the figures of the page read all states once, and all alerts', async () => {
  const { composition, calls } = await counted();
  const handler = httpHandler(() => composition, pageRoutes);
  const answer = await ask(handler, { method: 'GET', path: '/dashboard/data' });
  expect(answer).toMatchObject({
    status: 200,
    body: { cutovers: [{ id: 'a' }, { id: 'b' }], alerts: [{ rule: 'errors', alerts: [{ id: 'customer.errors' }] }] },
  });
  expect(calls).toMatchObject(ONCE);
});

it('one cutover is asked for on its own: nothing is read of another, and one that is not declared is none', async () => {
  const { composition } = await counted();
  const { windows } = composition.ports;
  const asked: string[] = [];
  const noting = {
    ...windows,
    readParts: (id: string, from: number, to: number) => {
      asked.push(id);
      return windows.readParts(id, from, to);
    },
  };
  const noted = { ...composition, ports: { ...composition.ports, windows: noting } };
  const handler = httpHandler(() => noted, pageRoutes);
  const figures = (cutover: string) => ask(handler, { method: 'GET', path: '/dashboard/data', query: { cutover } });
  expect(await figures('b')).toMatchObject({ status: 200, body: { cutover: { id: 'b', gates: [] }, alerts: [] } });
  expect(asked).toEqual(['b']);
  expect(await figures('c')).toMatchObject({
    status: 404,
    body: { detail: expect.stringContaining("No cutover 'c'") },
  });
});

it('states that cannot be read fail the page, and alerts that cannot be read do not', async () => {
  const { composition, log } = await counted();
  const down = async (): Promise<never> => {
    throw new Error('no answer');
  };
  const asked = async (ports: Partial<Ports>) =>
    ask(
      httpHandler(() => ({ ...composition, ports: { ...composition.ports, ...ports } }), pageRoutes),
      { method: 'GET', path: '/dashboard/data' },
    );
  expect((await asked({ state: { ...composition.ports.state, readAll: down } })).status).toBe(500);
  const { status, body } = await asked({ alerts: { ...composition.ports.alerts, readAll: down } });
  expect([status, (body as { alerts: unknown }).alerts]).toEqual([200, []]);
  expect(log.map(({ name }) => name)).toContain('alerts_unreadable');
});

it('a report with figures of hours reads all alerts once, too', async () => {
  const { composition, calls } = await counted();
  const { alerts } = await fullReport(composition.ports, CUTOVERS, 1);
  expect(alerts.firing).toBe(1);
  expect(calls).toMatchObject(ONCE);
});
