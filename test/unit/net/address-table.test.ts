/**
 * The one address table, from both sides that read it: what an upstream and what a webhook may lead to, as an address in
 * the declaration and as what a name resolves to. Nothing here is sent anywhere.
 */

import type { LookupAddress } from 'node:dns';
import fc from 'fast-check';
import ipaddr from 'ipaddr.js';
import { describe, expect, it } from 'vitest';
import { httpUpstream } from '../../../lib/adapters/http/upstream.ts';
import { guardedLookup, type Resolve } from '../../../lib/adapters/net/guarded-lookup.ts';
import { checkedUrl, webhookChannel } from '../../../lib/adapters/notify/webhook.ts';
import { CrossfadeError } from '../../../lib/core/base/errors.ts';
import { type AddressKind, addressKind } from '../../../lib/core/net/address.ts';
import { malformedUpstream, refusedUpstream } from '../../../lib/core/net/upstream.ts';
import { firing } from '../../helpers/contracts/alerts.ts';

const TABLE: readonly (readonly [address: string, kind: AddressKind, what: string])[] = [
  ['8.8.8.8', 'public', 'version 4'],
  ['1.1.1.1', 'public', 'version 4'],
  ['172.15.255.255', 'public', 'just below a private range'],
  ['172.32.0.1', 'public', 'just above a private range'],
  ['100.63.255.255', 'public', 'just below shared addresses'],
  ['192.88.98.255', 'public', 'just below the relays of 6to4'],
  ['2606:4700::1111', 'public', 'version 6'],
  ['2a00:1450::1', 'public', 'version 6'],
  ['2001:200::1', 'public', 'just above the protocol assignments'],
  ['3ffe:ffff::1', 'public', 'just below documentation'],
  ['::ffff:8.8.8.8', 'public', 'mapped'],
  ['::ffff:808:808', 'public', 'mapped, in groups'],
  ['64:ff9b::808:808', 'public', 'NAT64 of a public address'],
  ['10.1.2.3', 'private', 'RFC 1918'],
  ['172.16.0.1', 'private', 'RFC 1918'],
  ['172.31.255.255', 'private', 'RFC 1918'],
  ['192.168.1.1', 'private', 'RFC 1918'],
  ['100.64.0.1', 'private', 'shared addresses'],
  ['fc00::1', 'private', 'unique local'],
  ['fd12:3456::1', 'private', 'unique local'],
  ['::ffff:10.0.0.1', 'private', 'mapped'],
  ['64:ff9b::a00:1', 'private', 'NAT64 of a private address'],
  ['2002:a00:1::', 'private', '6to4 of a private address'],
  ['127.0.0.1', 'loopback', 'this machine'],
  ['127.255.255.254', 'loopback', 'this machine'],
  ['::1', 'loopback', 'this machine'],
  ['::ffff:127.0.0.1', 'loopback', 'mapped'],
  ['::127.0.0.1', 'loopback', 'IPv4-compatible'],
  ['64:ff9b::7f00:1', 'loopback', 'NAT64 of this machine'],
  ['0.0.0.0', 'forbidden', 'unspecified'],
  ['0.1.2.3', 'forbidden', 'this network'],
  ['169.254.169.254', 'forbidden', 'metadata'],
  ['169.254.170.2', 'forbidden', 'credentials of a container'],
  ['192.0.0.1', 'forbidden', 'protocol assignments'],
  ['192.0.2.1', 'forbidden', 'documentation'],
  ['198.51.100.1', 'forbidden', 'documentation'],
  ['203.0.113.1', 'forbidden', 'documentation'],
  ['192.88.99.1', 'forbidden', 'relay of 6to4'],
  ['198.18.0.1', 'forbidden', 'benchmarks'],
  ['224.0.0.1', 'forbidden', 'multicast'],
  ['240.0.0.1', 'forbidden', 'reserved'],
  ['255.255.255.255', 'forbidden', 'broadcast'],
  ['::', 'forbidden', 'unspecified'],
  ['::8.8.8.8', 'forbidden', 'IPv4-compatible, out of use'],
  ['::ffff:169.254.169.254', 'forbidden', 'mapped'],
  ['64:ff9b::a9fe:a9fe', 'forbidden', 'NAT64 of metadata'],
  ['64:ff9b:1::808:808', 'forbidden', 'NAT64 of a local network'],
  ['::ffff:0:808:808', 'forbidden', 'translated, RFC 6145'],
  ['2002:808:808::1', 'forbidden', '6to4'],
  ['2002:a9fe:a9fe::', 'forbidden', '6to4 of metadata'],
  ['2001::1', 'forbidden', 'Teredo'],
  ['2001:0:4136:e378:8000:63bf:3fff:fdd2', 'forbidden', 'Teredo'],
  ['2001:2::1', 'forbidden', 'benchmarks'],
  ['2001:10::1', 'forbidden', 'ORCHID'],
  ['2001:20::1', 'forbidden', 'ORCHID of today'],
  ['2001:db8::1', 'forbidden', 'documentation'],
  ['3fff::1', 'forbidden', 'documentation'],
  ['3fff:fff:ffff::1', 'forbidden', 'documentation'],
  ['fd00:ec2::254', 'forbidden', 'metadata'],
  ['fe80::1', 'forbidden', 'link-local'],
  ['fec0::1', 'forbidden', 'site-local'],
  ['ff02::1', 'forbidden', 'multicast'],
  ['100::1', 'forbidden', 'discard'],
  ['4000::1', 'forbidden', 'not in use'],
];

const clock = { now: () => 0, monotonicMs: () => performance.now() };
const [MESSAGE] = firing(0).messages as [ReturnType<typeof firing>['messages'][number]];
const refusal = (host: string) => new CrossfadeError('upstream_refused', host);

const resolvesTo =
  (...addresses: string[]): Resolve =>
  (_host, _options, done) =>
    done(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );

/** What a socket would get to connect to, or the refusal. */
const lookedUp = (resolve: Resolve) =>
  new Promise<string>((accept, refuse) =>
    guardedLookup({ privateHosts: [], profile: 'aws' }, resolve, refusal)(
      'hooks.example',
      { all: true },
      (error, found) =>
        error ? refuse(error) : accept((found as LookupAddress[]).map(({ address }) => address).join()),
    ),
  );

const throughGateway = (resolve: Resolve) =>
  httpUpstream({ clock, profile: 'aws', resolve })(
    { url: 'https://hooks.example/', privateHosts: [] },
    { method: 'POST', path: '', query: '', headers: {}, body: null, mount: '/', deadlineMs: performance.now() + 2_000 },
  );
const throughWebhook = (resolve: Resolve) =>
  webhookChannel({
    url: 'https://hooks.example/',
    form: 'crossfade',
    key: async () => 'k3y',
    clock,
    profile: 'aws',
    resolve,
  }).send(MESSAGE, 2_000);

describe('the address table', () => {
  it('has sixty addresses and more', () => {
    expect(TABLE.length).toBeGreaterThanOrEqual(60);
    expect(new Set(TABLE.map(([address]) => address)).size).toBe(TABLE.length);
  });

  it.each(TABLE)('%s is %s: %s', (address, kind) => {
    expect(addressKind(address)).toBe(kind);
  });

  it.each(TABLE)('in a declaration, %s (%s) is the same to an upstream and to a webhook', (address, kind) => {
    const host = address.includes(':') ? `[${address}]` : address;
    const url = new URL(`https://${host}/`).href;
    const upstream = malformedUpstream(url, []) ?? refusedUpstream(url, [], 'aws');
    expect(upstream === null).toBe(kind === 'public');
    const webhook = () => checkedUrl(url, 'aws');
    if (kind === 'public') expect(webhook).not.toThrow();
    else expect(webhook).toThrow(expect.objectContaining({ code: 'upstream_refused' }));
  });

  it.each(TABLE)('behind a name, %s (%s) is the same to an upstream and to a webhook', async (address, kind) => {
    if (kind === 'public') return expect(await lookedUp(resolvesTo(address))).toBe(address);
    const refused = { code: 'upstream_refused' };
    await expect(lookedUp(resolvesTo(address))).rejects.toMatchObject(refused);
    await expect(throughGateway(resolvesTo(address))).rejects.toMatchObject(refused);
    await expect(throughWebhook(resolvesTo(address))).rejects.toMatchObject(refused);
  });

  it('refuses a name of which one address is refused, whatever else the name has', async () => {
    const both = resolvesTo('8.8.8.8', '169.254.169.254');
    await expect(throughGateway(both)).rejects.toMatchObject({ code: 'upstream_refused' });
    await expect(throughWebhook(both)).rejects.toMatchObject({ code: 'upstream_refused' });
  });

  it('never tells in a refusal which address a name has', async () => {
    for (const sent of [throughGateway, throughWebhook])
      await expect(sent(resolvesTo('10.1.2.3'))).rejects.toThrow(/^The \w+ hooks\.example leads to an address[^0-9]*$/);
  });

  it('holds no text that is no address', () => {
    for (const text of [
      'localhost',
      '',
      '8.8.8.8.8',
      '127.1',
      '010.0.0.1',
      '0x7f000001',
      '1:2:3',
      '::1::2',
      '[::1]',
      ' ::1',
      '::1]/x:',
    ])
      expect(addressKind(text)).toBe('forbidden');
  });

  it('negative control: the ranges of the library alone let through what is refused here', () => {
    const alone = (address: string) => ipaddr.parse(address).range();
    // Not in use, and the metadata service within a private range.
    expect([alone('4000::1'), addressKind('4000::1')]).toEqual(['unicast', 'forbidden']);
    expect([alone('fd00:ec2::254'), addressKind('fd00:ec2::254')]).toEqual(['uniqueLocal', 'forbidden']);
    // One address, written in two ways.
    expect([alone('::127.0.0.1'), alone('::7f00:1')]).toEqual(['ipv4Mapped', 'unicast']);
    expect([addressKind('::127.0.0.1'), addressKind('::7f00:1')]).toEqual(['loopback', 'loopback']);
    // What a carrier carries.
    expect([alone('64:ff9b::a9fe:a9fe'), alone('64:ff9b::808:808')]).toEqual(['rfc6052', 'rfc6052']);
  });

  it('law: a version 6 form of a version 4 address is never allowed more than that address', () => {
    const RANK = { public: 0, private: 1, loopback: 1, forbidden: 2 } satisfies Record<AddressKind, number>;
    const byte = fc.integer({ min: 0, max: 255 });
    const known = fc.constantFrom(...TABLE.map(([address]) => address).filter((address) => !address.includes(':')));
    const any = fc.oneof(
      fc.tuple(byte, byte, byte, byte),
      known.map((address) => address.split('.').map(Number) as [number, number, number, number]),
    );
    fc.assert(
      fc.property(any, ([a, b, c, d]) => {
        const kind = addressKind(`${a}.${b}.${c}.${d}`);
        const groups = `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
        const dotted = `${a}.${b}.${c}.${d}`;
        for (const form of [
          `::ffff:${dotted}`,
          `::ffff:${groups}`,
          `::${dotted}`,
          `64:ff9b::${dotted}`,
          `64:ff9b::${groups}`,
          `64:ff9b:1::${groups}`,
          `::ffff:0:${groups}`,
          `2002:${groups}::`,
          `2001:0:${groups}::`,
          `fe80::5efe:${groups}`,
        ]) {
          const wrapped = addressKind(form);
          expect(RANK[wrapped], `${form} is ${wrapped}, ${dotted} is ${kind}`).toBeGreaterThanOrEqual(RANK[kind]);
          if (wrapped !== 'forbidden') expect(wrapped).toBe(kind);
        }
      }),
    );
  });
});
