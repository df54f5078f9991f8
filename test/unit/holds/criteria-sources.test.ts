/** The sources of criteria keep one contract, in memory and over the network; and what only the real ones can do wrong. */

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SetAlarmStateCommand } from '@aws-sdk/client-cloudwatch';
import { describe, expect, it } from 'vitest';
import { startCloudWatch } from '../../../infra/local/cloudwatch.ts';
import { cloudWatchAlarms } from '../../../lib/adapters/cloudwatch/alarms.ts';
import { cloudWatchClients } from '../../../lib/adapters/cloudwatch/client.ts';
import { httpChecks } from '../../../lib/adapters/notify/http-check.ts';
import { systemClock } from '../../../lib/adapters/system.ts';
import { type CriteriaHarness, criteriaContract } from '../../helpers/contracts/criteria.ts';
import { inMemoryCriteria } from '../../helpers/fakes/criteria.ts';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
const CREDENTIALS = { accessKeyId: 'local', secretAccessKey: 'local' };

criteriaContract('in memory', async () => {
  const sources = inMemoryCriteria();
  let checks = 0;
  return {
    sources,
    alarm: async (arn, state) => sources.setAlarm(arn, { state, sinceMs: 1, reason: '' }),
    async check(status) {
      checks += 1;
      const url = `https://check-${checks}.test/`;
      sources.setCheck(url, status);
      return url;
    },
    close: async () => {},
  };
});

async function overTheNetwork(): Promise<CriteriaHarness> {
  const cloudWatch = await startCloudWatch();
  const clients = cloudWatchClients({ endpoint: cloudWatch.url, credentials: CREDENTIALS });
  const servers: Server[] = [];
  return {
    sources: {
      alarms: cloudWatchAlarms({ client: clients }),
      httpCheck: httpChecks({ clock: systemClock(), profile: 'local', key: async () => 'key' }),
    },
    async alarm(arn, StateValue) {
      cloudWatch.put(arn);
      const [, , , region, , , ...name] = arn.split(':');
      const command = new SetAlarmStateCommand({ AlarmName: name.join(':'), StateValue, StateReason: 'tried' });
      await clients(region!).send(command);
    },
    async check(status) {
      const server = createServer((_, response) => void (status !== null && response.writeHead(status).end()));
      servers.push(server);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    },
    async close() {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
      await cloudWatch.stop();
    },
  };
}

criteriaContract('over the network', overTheNetwork);

describe('alarms that cannot be read', () => {
  const ARNS = [
    'arn:aws:cloudwatch:eu-central-1:123456789012:alarm:a',
    'arn:aws:cloudwatch:us-east-1:123456789012:alarm:a',
  ];

  it.each([500, 400, 'hang'] as const)('after %s say so, each', async (how) => {
    const cloudWatch = await startCloudWatch({ alarms: ARNS });
    const client = cloudWatchClients({ endpoint: cloudWatch.url, credentials: CREDENTIALS });
    const read = cloudWatchAlarms({ client, timeoutMs: how === 'hang' ? 200 : 10_000 });
    cloudWatch.fail(how);
    expect([...(await read(ARNS))]).toEqual(ARNS.map((arn) => [arn, { problem: expect.any(String) }]));
    cloudWatch.fail(null);
    const patient = cloudWatchAlarms({ client, timeoutMs: 10_000 });
    expect([...(await patient(ARNS))]).toEqual(ARNS.map((arn) => [arn, expect.objectContaining({ state: 'OK' })]));
    await cloudWatch.stop();
  });

  it('of another account are other alarms', async () => {
    const cloudWatch = await startCloudWatch({ alarms: ARNS });
    const read = cloudWatchAlarms({
      client: cloudWatchClients({ endpoint: cloudWatch.url, credentials: CREDENTIALS }),
    });
    expect([...(await read([ARNS[0]!.replace('123456789012', '210987654321')]))]).toEqual([]);
    await cloudWatch.stop();
  });
});

describe('an HTTP check', () => {
  it.each([
    ['this machine on AWS', 'http://127.0.0.1:1/', []],
    ['a metadata address, even where it is named', 'http://169.254.169.254/', ['169.254.169.254']],
    ['a private address that is not named', 'https://10.0.0.7/', []],
  ])('never reaches %s', async (_, url, privateHosts) => {
    const check = httpChecks({ clock: systemClock(), profile: 'aws', key: async () => 'key' });
    const question = { id: 'id-1', atMs: 0, cutover: 'a', criterion: 'b', stage: 'c', sharePercent: 1 };
    await expect(check({ url, privateHosts, timeoutMs: 200 }, question)).rejects.toMatchObject({
      code: 'upstream_refused',
    });
  });
});
