/** An issuer replaces its keys: functions that have no way to it learn of that from what the publisher keeps, on real servers. */

import { generateKeyPairSync } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { askIssuer } from '../../../lib/adapters/http/issuer.ts';
import { signToken } from '../../../lib/adapters/http/sign-token.ts';
import type { Jwk } from '../../../lib/adapters/http/token.ts';
import { composeInside } from '../../../lib/compose/inside.ts';
import { composePublisher } from '../../../lib/compose/publisher.ts';
import { renewKeys } from '../../../lib/flows/publishing/renew-keys.ts';
import { localClient, ownTables } from '../../helpers/dynamodb.ts';
import { type UpstreamServer, upstreamServer } from '../../helpers/upstream-server.ts';
import { codeFrom } from '../../property/samples.ts';

const START_MS = Date.UTC(2026, 0, 15, 12);
const AUDIENCE = 'crossfade';
const client = localClient();

let issuer: UpstreamServer;
let answer: { status: number; text: string; location?: string };
let environment: Record<string, string>;
const failures: string[] = [];

beforeAll(async () => {
  issuer = await upstreamServer((_, response) => {
    response.writeHead(answer.status, answer.location ? { location: answer.location } : {}).end(answer.text);
  });
});
afterAll(async () => {
  client.destroy();
  await issuer?.close();
});

beforeEach(async () => {
  vi.useFakeTimers({ now: START_MS, toFake: ['Date'] });
  const tables = await ownTables(client);
  failures.length = 0;
  environment = {
    CROSSFADE_PROFILE: 'local',
    CROSSFADE_STATE_TABLE: tables.state,
    CROSSFADE_CHANGES_TABLE: tables.changes,
    CROSSFADE_DYNAMODB_ENDPOINT: await endpoint(),
    CROSSFADE_APPCONFIG_APPLICATION: 'a',
    CROSSFADE_APPCONFIG_ENVIRONMENT: 'e',
    CROSSFADE_APPCONFIG_PROFILE: 'p',
    CROSSFADE_JWT_ISSUER: issuer.url,
    CROSSFADE_JWT_AUDIENCE: AUDIENCE,
    CROSSFADE_LOG_LEVEL: 'silent',
    AWS_REGION: 'eu-central-1',
  };
});
afterEach(() => vi.useRealTimers());

async function endpoint(): Promise<string> {
  const { protocol, hostname, port } = await client.config.endpoint!();
  return `${protocol}//${hostname}:${port}`;
}

function pair(kid: string) {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const secret = { ...(privateKey.export({ format: 'jwk' }) as Jwk), kid };
  return {
    open: { ...(publicKey.export({ format: 'jwk' }) as Jwk), kid },
    token: () => {
      const exp = Math.floor(Date.now() / 1_000) + 300;
      return signToken({ sub: 'ada', iss: issuer.url, aud: AUDIENCE, exp, scope: 'control:read' }, secret);
    },
  };
}
const [first, second] = [pair('2026-a'), pair('2026-b')];
type Pair = typeof first;

const publishes = (...pairs: Pair[]) => {
  answer = { status: 200, text: JSON.stringify({ keys: pairs.map(({ open }) => open) }) };
};

/** A minute of the publisher. */
async function look(): Promise<void> {
  const { issuerKeys } = composePublisher(environment).ports;
  const log = { event: () => {}, failure: (name: string, error: unknown) => void failures.push(`${name}: ${error}`) };
  await renewKeys({ issuerKeys, log });
}

/** An instance of a function beside the database. */
function instance() {
  const { authenticate } = composeInside(environment);
  return (by: Pair) => codeFrom(authenticate({ token: `Bearer ${by.token()}`, iamCaller: null }, 'control:read'));
}
const later = (ms: number) => vi.setSystemTime(Date.now() + ms);

describe('keys that the publisher keeps', () => {
  it('let a token in that the issuer signed, and ask the issuer nothing', async () => {
    publishes(first);
    const verdict = instance();
    expect(await verdict(first)).toBe('unauthenticated');
    await look();
    later(6_000);
    const before = issuer.asked.length;
    expect([await verdict(first), await verdict(second)]).toEqual(['nothing', 'unauthenticated']);
    expect(issuer.asked.length).toBe(before);
    expect(issuer.asked.at(-1)?.path).toBe('/.well-known/jwks.json');
  });

  it('are known at the next look after the issuer replaced them, by instances that run', async () => {
    publishes(first);
    await look();
    const verdict = instance();
    expect(await verdict(first)).toBe('nothing');
    publishes(first, second);
    later(6_000);
    expect(await verdict(second)).toBe('unauthenticated');
    await look();
    later(6_000);
    expect([await verdict(second), await verdict(first)]).toEqual(['nothing', 'nothing']);
    // Withdrawn ones go within ten minutes.
    publishes(second);
    await look();
    later(601_000);
    expect([await verdict(second), await verdict(first)]).toEqual(['nothing', 'unauthenticated']);
  });

  it.each<[string, Partial<typeof answer>]>([
    ['does not answer well', { status: 503 }],
    ['answers with what is no document of keys', { text: '{"keys":"none"}' }],
    ['answers with a page', { text: '<html>' }],
    ['sends one elsewhere', { status: 302, location: 'http://127.0.0.1:9/keys' }],
    ['sends more than any issuer has', { text: JSON.stringify({ keys: [], more: 'x'.repeat(200_000) }) }],
  ])('stay while the issuer %s, and that is said', async (_, spoiled) => {
    publishes(first);
    await look();
    answer = { ...answer, ...spoiled };
    await look();
    expect(failures).toEqual([expect.stringMatching(/^keys_not_renewed: /)]);
    expect(await instance()(first)).toBe('nothing');
  });

  it('are of the issuer that is configured: those of another one let nobody in', async () => {
    publishes(first);
    await look();
    environment.CROSSFADE_JWKS_URL = `${issuer.url}/of-another-tenant`;
    expect(await instance()(first)).toBe('unauthenticated');
  });

  it('come by TLS alone', async () => {
    await expect(askIssuer(new URL('http://issuer.example/keys'))).rejects.toThrow('has no TLS');
  });

  it('are not asked for where callers come through IAM', () => {
    expect(composePublisher({ ...environment, CROSSFADE_ACCESS: 'iam' }).ports.issuerKeys).toBeNull();
  });
});
