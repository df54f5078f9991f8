/** Alerts from a tick through the publisher to people: told once, told again after a death, never at the cost of the tick. */

import { describe, expect, it } from 'vitest';
import type { Alert, AlertMessage } from '../../../lib/core/alerts/alert.ts';
import { acknowledgeAlert, listAlerts } from '../../../lib/flows/alerts/alerts.ts';
import { deliverAlerts, SLICE_MS } from '../../../lib/flows/alerts/deliver-alerts.ts';
import { readAlerts, watchAlerts } from '../../../lib/flows/alerts/watch-alerts.ts';
import type { AlertChannel, AlertStore } from '../../../lib/ports/alerts.ts';
import { alertContract, firing } from '../../helpers/contracts/alerts.ts';
import { inMemoryAlerts, inMemoryChannel } from '../../helpers/fakes/alerts.ts';
import { declarationOf, NOW } from '../../property/samples.ts';

alertContract('in memory', async () => inMemoryAlerts());

const DECLARED = [declarationOf('component')];

function bench(alerts: AlertStore = inMemoryAlerts(), channels: readonly AlertChannel[] = [inMemoryChannel()]) {
  const events: string[] = [];
  let nowMs = NOW;
  let monotonicMs = 0;
  let ids = 0;
  const ports = {
    alerts,
    channels,
    clock: { now: () => nowMs, monotonicMs: () => monotonicMs, sleep: async () => {} },
    ids: { next: () => `tick-${++ids}` },
    log: { event: (name: string) => void events.push(name), failure: (name: string) => void events.push(name) },
  };
  return {
    ports,
    events,
    /** What a tick does with alerts, and the publisher that it wakes; `judged` are the ones its rules have changed. */
    async tick(judged: readonly Alert[] = [], on = ports) {
      const stored = await readAlerts(on);
      const known = new Map(stored.map((alert) => [alert.id, alert]));
      const fresh = judged.map((alert) => ({ ...alert, version: known.get(alert.id)?.version ?? 0 }));
      await watchAlerts(on, DECLARED, { stored, judged: fresh, nowMs });
      await deliverAlerts(on);
    },
    pass: (ms: number) => {
      nowMs += ms;
    },
    spend: (ms: number) => {
      monotonicMs += ms;
    },
  };
}

const FIRING = firing(0);

/** Two ticks that have both read before either writes, and two publishers. */
async function twoTicksAtOnce(alerts: AlertStore): Promise<readonly AlertMessage[]> {
  const channel = inMemoryChannel();
  const { ports } = bench(alerts, [channel]);
  const both = (work: () => Promise<void>) => Promise.all([work(), work()]);
  await both(() => watchAlerts(ports, DECLARED, { stored: [], judged: [FIRING], nowMs: NOW }));
  await both(() => deliverAlerts(ports));
  return channel.sent;
}

describe('a change of state', () => {
  it('is told once by two ticks at once', async () => {
    expect(await twoTicksAtOnce(inMemoryAlerts())).toMatchObject([{ id: 'customer.errors#1', change: 'fired' }]);
  });

  it('is told twice when writes are not conditional: negative control', async () => {
    const alerts = inMemoryAlerts();
    const write: AlertStore['write'] = async (alert) => {
      for (;;) {
        const version = (await alerts.read(alert.id))?.version ?? 0;
        if ((await alerts.write(alert, version)) === 'applied') return 'applied';
      }
    };
    expect(await twoTicksAtOnce({ ...alerts, write })).toHaveLength(2);
  });

  it('is told once over many ticks, and the outbox is empty then', async () => {
    const { ports, tick, pass } = bench();
    await tick([FIRING]);
    for (let i = 0; i < 5; i += 1) {
      pass(60_000);
      await tick(await ports.alerts.readAll());
    }
    expect((ports.channels[0] as ReturnType<typeof inMemoryChannel>).sent).toHaveLength(1);
    expect((await ports.alerts.readAll())[0]).toMatchObject({ messages: [], claim: null, status: 'firing' });
  });

  it('without channels is written and owes nobody a message', async () => {
    const { ports, tick } = bench(inMemoryAlerts(), []);
    await tick([FIRING]);
    expect(await ports.alerts.read('customer.errors')).toMatchObject({ status: 'firing', messages: [], dropped: 0 });
  });

  it('of a rule that is declared no more ends and is told', async () => {
    const channel = inMemoryChannel();
    const { tick, ports } = bench(inMemoryAlerts(), [channel]);
    await ports.alerts.write({ ...FIRING, id: 'customer.gone', rule: 'gone', version: 1, messages: [] }, 0);
    await tick();
    expect(channel.sent).toMatchObject([{ alert: 'customer.gone', change: 'resolved' }]);
  });
});

describe('a tick that dies', () => {
  it('after any of its calls leaves the message to the next one, under the same id', async () => {
    for (let calls = 0; calls < 6; calls += 1) {
      const channel = inMemoryChannel();
      const { ports, tick, pass } = bench(inMemoryAlerts(), [channel]);
      let left = calls;
      const mortal =
        <A extends unknown[], R>(call: (...args: A) => Promise<R>) =>
        async (...args: A): Promise<R> => {
          if (left-- <= 0) throw new Error('died');
          return call(...args);
        };
      const dying = {
        ...ports,
        alerts: {
          readAll: mortal(ports.alerts.readAll),
          read: mortal(ports.alerts.read),
          write: mortal(ports.alerts.write),
        },
        channels: [{ name: 'memory', send: mortal(channel.send) }],
      };
      await tick([FIRING], dying);
      pass(30_000);
      await tick(await ports.alerts.readAll());
      const early = channel.sent.length;
      pass(30_000);
      await tick((await ports.alerts.readAll()).length > 0 ? await ports.alerts.readAll() : [FIRING]);
      expect(new Set(channel.sent.map(({ id }) => id)), `after ${calls} calls`).toEqual(new Set(['customer.errors#1']));
      // While the dead tick's claim is good, nobody else sends.
      expect(early, `after ${calls} calls`).toBeLessThanOrEqual(1);
      expect(channel.sent.length, `after ${calls} calls`).toBeLessThanOrEqual(2);
      expect((await ports.alerts.read('customer.errors'))?.messages).toEqual([]);
    }
  });
});

describe('a channel that fails', () => {
  it('gets the message when it is back; the others have it at once and once', async () => {
    const [up, down] = [inMemoryChannel('up'), inMemoryChannel('down')];
    const { tick, ports, pass, events } = bench(inMemoryAlerts(), [up, down]);
    down.failing(true);
    await tick([FIRING]);
    expect(events).toContain('alert_not_sent');
    pass(60_000);
    down.failing(false);
    await tick(await ports.alerts.readAll());
    expect([up.sent.length, down.sent.length]).toEqual([1, 1]);
    expect(down.sent[0]!.id).toBe(up.sent[0]!.id);
  });

  it('is asked again when the claim has run out, not by the write that says so', async () => {
    const channel = inMemoryChannel();
    channel.failing(true);
    const { tick, ports, pass, events } = bench(inMemoryAlerts(), [channel]);
    await tick([FIRING]);
    // The stream brings that write, and the publisher looks again, and again.
    for (let i = 0; i < 3; i += 1) await deliverAlerts(ports);
    expect(events.filter((name) => name === 'alert_not_sent')).toHaveLength(1);
    pass(46_000);
    await deliverAlerts(ports);
    expect(events.filter((name) => name === 'alert_not_sent')).toHaveLength(2);
  });

  it('is given up after a day, and that is counted and logged', async () => {
    const channel = inMemoryChannel();
    channel.failing(true);
    const { tick, ports, pass, events } = bench(inMemoryAlerts(), [channel]);
    await tick([FIRING]);
    pass(25 * 3_600_000);
    await tick(await ports.alerts.readAll());
    expect(await ports.alerts.read('customer.errors')).toMatchObject({ messages: [], dropped: 1 });
    expect(events).toContain('alert_message_given_up');
  });

  it('costs no more than its slice: each call has a deadline, and none begins after the end', async () => {
    const asked: number[] = [];
    const { ports, tick, spend } = bench(inMemoryAlerts(), [
      {
        name: 'slow',
        send: async (_message, timeoutMs) => {
          asked.push(timeoutMs);
          spend(timeoutMs);
        },
      },
    ]);
    const many = Array.from({ length: 9 }, (_, n) => ({
      ...FIRING,
      id: `customer.r${n}`,
      messages: FIRING.messages.map((message) => ({ ...message, id: `customer.r${n}#1` })),
    }));
    const all = [
      declarationOf('component', {
        alerts: many.map((_, n) => ({ id: `r${n}`, metric: 'lag_ms', operator: '>', value: 1 })),
      }),
    ];
    await watchAlerts(ports, all, { stored: [], judged: many, nowMs: NOW });
    await deliverAlerts(ports);
    expect(asked.reduce((sum, ms) => sum + ms, 0)).toBe(SLICE_MS);
    expect(Math.max(...asked)).toBe(2_000);
    const left = (await ports.alerts.readAll()).filter(({ messages }) => messages.length > 0);
    expect(left).toHaveLength(6);
    expect(tick).toBeDefined();
  });
});

describe('a store that fails', () => {
  it('fails no tick', async () => {
    const alerts = inMemoryAlerts();
    const { tick, events } = bench(alerts);
    alerts.unavailable(true);
    await tick([FIRING]);
    expect(events).toEqual(['alerts_unreadable', 'alert_not_written', 'alerts_unreadable']);
  });
});

describe('acknowledging', () => {
  const by = { actor: 'ada', reason: 'on it' };

  it('is told, and keeps what was delivered meanwhile', async () => {
    const channel = inMemoryChannel();
    const { tick, ports, pass } = bench(inMemoryAlerts(), [channel]);
    await tick([FIRING]);
    expect(await acknowledgeAlert(ports, DECLARED, 'customer.errors', by)).toMatchObject({
      acknowledged: by,
      undelivered: 1,
    });
    expect(await acknowledgeAlert(ports, DECLARED, 'customer.errors', by)).toMatchObject({ undelivered: 1 });
    pass(60_000);
    await tick(await ports.alerts.readAll());
    expect(channel.sent.map(({ change }) => change)).toEqual(['fired', 'acknowledged']);
    expect(channel.sent[1]!.text).toBe('ada has acknowledged customer.errors: on it');
  });

  it('while its message is being sent loses neither', async () => {
    const alerts = inMemoryAlerts();
    const channel = inMemoryChannel();
    const { ports, tick, pass } = bench(alerts, [
      {
        name: 'memory',
        async send(message, timeoutMs) {
          if (message.change === 'fired') await acknowledgeAlert(ports, DECLARED, 'customer.errors', by);
          await channel.send(message, timeoutMs);
        },
      },
    ]);
    await tick([FIRING]);
    pass(60_000);
    await tick(await alerts.readAll());
    expect(channel.sent.map(({ change }) => change)).toEqual(['fired', 'acknowledged']);
    expect(await alerts.read('customer.errors')).toMatchObject({ messages: [], acknowledged: by });
  });

  it.each([
    ['customer.eror', 'not_found', /Did you mean 'customer.errors'/],
    ['customer.lag', 'illegal_transition', /never fired/],
  ])('%s is refused', async (id, code, says) => {
    const { ports } = bench();
    await expect(acknowledgeAlert(ports, DECLARED, id, by)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(says),
    });
    expect(await ports.alerts.readAll()).toEqual([]);
  });

  it('of what does not fire, or is another person’s, is refused and changes nothing', async () => {
    const alerts = inMemoryAlerts();
    const { ports } = bench(alerts);
    await alerts.write({ ...FIRING, version: 1, status: 'quiet' }, 0);
    await expect(acknowledgeAlert(ports, DECLARED, FIRING.id, by)).rejects.toMatchObject({
      code: 'illegal_transition',
    });
    await alerts.write({ ...FIRING, version: 2, acknowledged: { ...by, actor: 'eve', atMs: NOW } }, 1);
    await expect(acknowledgeAlert(ports, DECLARED, FIRING.id, by)).rejects.toMatchObject({
      message: expect.stringContaining('eve'),
    });
    expect(alerts.applied()).toBe(2);
  });
});

describe('I39 listing', () => {
  it('shows firing ones first, the worst first, forgets after a day, and changes nothing', async () => {
    const alerts = inMemoryAlerts();
    const { ports } = bench(alerts);
    const put = (id: string, fields: Partial<Alert>) => alerts.write({ ...FIRING, id, version: 1, ...fields }, 0);
    await put('customer.a', { status: 'quiet', resolvedAtMs: NOW - 3_600_000 });
    await put('customer.b', { status: 'quiet', resolvedAtMs: NOW - 90_000_000 });
    await put('customer.c', { severity: 'warning' });
    await put('customer.d', { status: 'pending' });
    await put('customer.e', {});
    const list = await listAlerts(ports);
    expect(list.firing).toBe(2);
    expect(list.alerts.map(({ id }) => id)).toEqual(['customer.e', 'customer.c', 'customer.d', 'customer.a']);
    expect(alerts.applied()).toBe(5);
  });
});
