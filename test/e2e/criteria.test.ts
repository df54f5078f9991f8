/**
 * Criteria of the user's own between real servers: an alarm of CloudWatch that rings at 10 %, an HTTP check, and an invariant in SQL
 * that a wrong transform breaks.
 */

import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SetAlarmStateCommand, type StateValue } from '@aws-sdk/client-cloudwatch';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cloudWatchClients } from '../../lib/adapters/cloudwatch/client.ts';
import { show } from '../../lib/core/conditions/show.ts';
import { tick } from '../../lib/flows/control/tick.ts';
import { type CutoverReport, report } from '../../lib/flows/report/report.ts';
import { chinookScript } from '../helpers/chinook.ts';
import { LOCAL_CREDENTIALS } from '../helpers/dynamodb.ts';
import { CHECK_KEY } from '../helpers/stack-parts.ts';
import { type Items, items, readyToAdvance, startAll } from '../helpers/stack-parts-items.ts';

const ARN = 'arn:aws:cloudwatch:eu-central-1:123456789012:alarm:planning: slow';

/** The stand-in of the user's own check: it keeps what it was asked, and answers with `status`. */
async function checker(): Promise<{ url: string; status: number; asked: string[]; server: Server }> {
  const made = { url: '', status: 200, asked: [] as string[], server: createServer() };
  made.server.on('request', async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const stamp = request.headers['x-crossfade-timestamp'];
    const signature = createHmac('sha256', CHECK_KEY).update(`${stamp}.${body}`).digest('hex');
    made.asked.push(request.headers['x-crossfade-signature'] === `v1=${signature}` ? body : 'not signed');
    if (made.status === 0) return;
    response.writeHead(made.status).end('not read');
  });
  await new Promise<void>((resolve) => made.server.listen(0, '127.0.0.1', resolve));
  made.url = `http://127.0.0.1:${(made.server.address() as AddressInfo).port}/conflicts`;
  return made;
}

describe('criteria of a component', () => {
  let world: Items;
  let check: Awaited<ReturnType<typeof checker>>;
  const client = () =>
    cloudWatchClients({ endpoint: world.on.cloudWatch.url, credentials: LOCAL_CREDENTIALS })('eu-central-1');
  const setAlarm = (StateValue: StateValue, StateReason = 'tried') =>
    client().send(new SetAlarmStateCommand({ AlarmName: 'planning: slow', StateValue, StateReason }));
  const advanceOnce = async () => {
    await readyToAdvance(world);
    return (await tick(world.ports, world.declarations)).cutovers[0]!;
  };
  const reasons = async () => (await world.ports.verdicts.read('planner'))!.verdict.reasons.map((one) => show(one));

  beforeAll(async () => {
    check = await checker();
    world = await items([], 'long', {
      cutovers: [
        {
          id: 'planner',
          kind: 'component',
          plan: {
            name: 'steps',
            ramp: [...[1, 2, 4, 6, 10].map((at) => [`step_${at}`, at] as [string, number]), ['full', 100]],
          },
          dwellMinutes: 0,
          policy: { minSamples: 10, warmUpMinutes: 0 },
          criteria: [
            { name: 'planning', alarm: ARN, onFailure: 'rollback' },
            { name: 'conflicts', http: check.url, timeoutMs: 300 },
          ],
        },
      ],
    });
    await startAll(world);
  });
  afterAll(async () => {
    check.server.closeAllConnections();
    check.server.close();
    await world?.stop();
  });

  it('hold while the alarm is not there, and go on once it is in OK', async () => {
    await advanceOnce();
    await advanceOnce();
    expect(await reasons()).toMatchObject([{ code: 'alarm_planning', seen: 'not found' }]);
    world.on.cloudWatch.put(ARN);
    expect(await advanceOnce()).toMatchObject({ moved: null, verdict: 'hold' });
    expect((await reasons())[0]).toMatchObject({ code: 'alarm_planning', seen: 'INSUFFICIENT_DATA', limit: 'OK' });
    await setAlarm('OK');
    expect((await advanceOnce()).moved).toBe('dual_write → step_1');
    expect(check.asked.map((body) => JSON.parse(body))).toContainEqual(
      expect.objectContaining({ cutover: 'planner', criterion: 'conflicts', stage: 'dual_write', sharePercent: 0 }),
    );
  });

  it.each([
    ['an HTTP check that fails', () => Object.assign(check, { status: 500 }), /answered 500/],
    ['an HTTP check that does not answer', () => Object.assign(check, { status: 0 }), /did not answer within 300 ms/],
    ['a CloudWatch that fails', () => world.on.cloudWatch.fail(500), /cannot be read/],
    ['a CloudWatch that hangs', () => world.on.cloudWatch.fail('hang'), /cannot be read/],
  ])('%s holds, and releases when it is over', async (_, break_, says) => {
    break_();
    expect(await advanceOnce()).toMatchObject({ moved: null, verdict: 'hold' });
    expect((await reasons()).map(({ text }) => text)).toEqual([expect.stringMatching(says)]);
    check.status = 200;
    world.on.cloudWatch.fail(null);
    expect((await advanceOnce()).verdict).toBe('advance');
  });

  it('an alarm that rings at 10 % takes the cutover back within two ticks, with its cause', async () => {
    expect((await world.ports.state.readCutover('planner'))!.stage).toBe('step_10');
    await setAlarm('ALARM', 'Threshold Crossed: 1 datapoint [9.3] was greater than the threshold (2.0).');
    world.clock.pass(1);
    const ticks = [await tick(world.ports, world.declarations), await tick(world.ports, world.declarations)];
    expect(ticks.map(({ cutovers }) => cutovers[0]!.moved)).toEqual([expect.stringContaining('→ rolled_back'), null]);
    const { rollback } = (await world.ports.state.readCutover('planner'))!;
    expect(rollback).toMatchObject({ cause: 'guard', actor: 'tick' });
    expect(rollback!.reason).toMatch(/CloudWatch alarm 'planning: slow' is in ALARM: Threshold Crossed/);
  });
});

const BY_COUNTRY = 'SELECT billing_country, sum(total) FROM {table} GROUP BY billing_country';

describe('an invariant of a table', () => {
  let world: Items;
  const invoices = async () => (await report(world.ports, world.declarations)).cutovers[0] as CutoverReport;

  beforeAll(async () => {
    world = await items([], 'long', {
      sql: `${chinookScript('chinook')}; CREATE TABLE invoice_v2 (LIKE invoice INCLUDING ALL)`,
      cutovers: [
        {
          id: 'invoice',
          kind: 'table',
          primary: 'public.invoice',
          shadow: 'public.invoice_v2',
          dwellMinutes: 0,
          // A wrong transform. Verification cannot see it: it compares with what the transform makes.
          columns: { total: { sql: "total * CASE WHEN billing_country IN ('Chile', 'Norway') THEN 1.1 ELSE 1 END" } },
          reverse: { total: { sql: 'total' } },
          criteria: [
            {
              name: 'total_by_country',
              equal: {
                primary: BY_COUNTRY.replace('{table}', '{primary}'),
                shadow: BY_COUNTRY.replace('{table}', '{shadow}'),
              },
            },
          ],
        },
      ],
    });
    await startAll(world);
  });
  afterAll(() => world?.stop());

  it('that a wrong transform breaks holds dual_write, and names the countries with both sums', async () => {
    await tick(world.ports, world.declarations);
    await readyToAdvance(world);
    await tick(world.ports, world.declarations);
    const { stage, verdict, table } = await invoices();
    expect(stage).toBe('dual_write');
    expect(table!.verification).toMatchObject({ divergences: 0 });
    expect(verdict!.reasons).toEqual([
      expect.objectContaining({ code: 'invariant_total_by_country', seen: 2, limit: 0 }),
    ]);
    expect(verdict!.reasons[0]!.text).toMatch(
      /^Invariant 'total_by_country' is broken in 2 of 24 rows: Chile: old 46\.62, new 51\.2\d; Norway: old 39\.62, new 43\.5\d\. Since \d\d:\d\d UTC/,
    );
  });

  it('is released by a corrected shadow, after its next evaluation', async () => {
    await world.db.sql.unsafe('ALTER TABLE invoice_v2 DISABLE TRIGGER ALL');
    await world.db.sql.unsafe(
      'UPDATE invoice_v2 n SET total = o.total FROM invoice o WHERE o.invoice_id = n.invoice_id',
    );
    await world.db.sql.unsafe('ALTER TABLE invoice_v2 ENABLE TRIGGER ALL');
    world.clock.pass(5);
    await tick(world.ports, world.declarations);
    const { conditions } = (await world.ports.verdicts.read('invoice'))!.verdict;
    expect(conditions.find(({ code }) => code === 'invariant')).toMatchObject({ ok: true, seen: 0 });
  });
});
