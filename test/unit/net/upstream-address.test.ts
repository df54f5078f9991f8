/** Addresses: what they are whatever they look like, and which base addresses may be declared. */

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressKind } from '../../../lib/core/net/address.ts';
import { malformedUpstream, refusedUpstream } from '../../../lib/core/net/upstream.ts';
import { defineCutovers } from '../../../lib/define/cutovers.ts';

describe('an address', () => {
  it.each([
    ['8.8.8.8', 'public'],
    ['2606:4700::1111', 'public'],
    ['172.32.0.1', 'public'],
    ['172.31.255.255', 'private'],
    ['10.1.2.3', 'private'],
    ['100.64.0.1', 'private'],
    ['fd12:3456::1', 'private'],
    ['127.9.9.9', 'loopback'],
    ['::1', 'loopback'],
    ['::ffff:127.0.0.1', 'loopback'],
    ['::ffff:7f00:1', 'loopback'],
    ['::127.0.0.1', 'loopback'],
    ['64:ff9b::a00:1', 'private'],
    ['2002:a00:1::', 'private'],
    ['169.254.169.254', 'forbidden'],
    ['::ffff:169.254.169.254', 'forbidden'],
    ['fd00:ec2::254', 'forbidden'],
    ['fe80::1%eth0', 'forbidden'],
    ['::', 'forbidden'],
    ['0.0.0.0', 'forbidden'],
    ['224.0.0.1', 'forbidden'],
    ['255.255.255.255', 'forbidden'],
    ['ff02::1', 'forbidden'],
    ['2001:db8::1', 'forbidden'],
    ['', 'forbidden'],
    ['127.1', 'forbidden'],
    ['1:2:3', 'forbidden'],
    ['::1::2', 'forbidden'],
    ['example.com', 'forbidden'],
  ] as const)('%s is %s', (address, kind) => {
    expect(addressKind(address)).toBe(kind);
  });

  it('of version 4 is the same inside of every form of version 6', () => {
    const byte = fc.integer({ min: 0, max: 255 });
    fc.assert(
      fc.property(byte, byte, byte, byte, (a, b, c, d) => {
        const kind = addressKind(`${a}.${b}.${c}.${d}`);
        const hex = (x: number, y: number) => (x * 256 + y).toString(16);
        expect(addressKind(`::ffff:${a}.${b}.${c}.${d}`)).toBe(kind);
        expect(addressKind(`::ffff:${hex(a, b)}:${hex(c, d)}`)).toBe(kind);
        expect(addressKind(`0:0:0:0:0:FFFF:${hex(a, b).toUpperCase()}:${hex(c, d)}`)).toBe(kind);
        expect(addressKind(`64:ff9b::${hex(a, b)}:${hex(c, d)}`)).toBe(kind);
      }),
    );
  });
});

describe('row 45: a declared upstream', () => {
  it.each([
    'http://169.254.169.254/latest',
    'https://169.254.169.254/',
    'https://0x7f000001/',
    'https://2130706433/',
    'https://127.1/',
    'https://user@chat.example/',
    'https://user:pw@chat.example/',
    'https://chat.example./',
    'https://xn--80ak6aa92e.com/',
    'https://ch\u0430t.example/',
    'https://[fe80::1]/',
    'https://chat.example/?q=1',
    'https://chat.example/#x',
    'http://chat.example/',
    'ftp://chat.example/',
    'file:///etc/passwd',
    'data:text/plain,x',
    'gopher://chat.example/',
    'chat.example',
    '',
  ])('%j is refused when it is declared', (url) => {
    expect(malformedUpstream(url, [])).not.toBeNull();
    const declare = () =>
      defineCutovers([{ id: 'chat', kind: 'service', upstreams: { primary: 'https://a.example', shadow: url } }]);
    expect(declare).toThrow(expect.objectContaining({ code: 'upstream_refused' }));
  });

  it.each([
    'http://localhost:2772/',
    'http://localhost:9001/',
    'http://[::1]/',
    'http://127.0.0.1:8080/api',
    'https://10.0.0.7/',
    'https://[::ffff:10.0.0.1]/',
    'https://[fd00::1]/',
  ])('%s is refused when the functions are deployed', (url) => {
    expect(refusedUpstream(url, [], 'aws')).not.toBeNull();
  });

  it('on this machine is for the local profile, private ones are for who names them', () => {
    expect(malformedUpstream('http://127.0.0.1:8080/api', [])).toBeNull();
    expect(refusedUpstream('http://127.0.0.1:8080/api', [], 'local')).toBeNull();
    expect(refusedUpstream('http://127.0.0.1:8080/api', ['127.0.0.1'], 'aws')).not.toBeNull();
    expect(refusedUpstream('https://10.0.0.7/', ['10.0.0.7'], 'aws')).toBeNull();
    expect(malformedUpstream('http://chat.internal/', ['chat.internal'])).toBeNull();
    for (const fine of ['https://chat.example/api', 'https://chat.example:8443', 'https://8.8.8.8/'])
      expect([malformedUpstream(fine, []), refusedUpstream(fine, [], 'aws')]).toEqual([null, null]);
  });
});
