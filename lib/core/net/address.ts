/**
 * Which network addresses a request may be sent to: the one table for upstreams, forwarded writes and webhooks. Decided
 * from the bytes of an address, never from how it is written: `::ffff:10.0.0.1`, `0x7f000001` and `127.1` are what they
 * are. The ranges are those of `ipaddr.js`; a range that is not named here is refused.
 */

import ipaddr from 'ipaddr.js';

export type AddressKind =
  | 'public'
  | 'private'
  | 'loopback'
  /** Link-local (where clouds keep their metadata), multicast, reserved, documentation, tunnels, or no address at all. */
  | 'forbidden';

/** Names of ranges as `ipaddr.js` has them. */
const KINDS: Readonly<Record<string, AddressKind>> = {
  unicast: 'public',
  private: 'private',
  uniqueLocal: 'private',
  carrierGradeNat: 'private',
  loopback: 'loopback',
};

/** The metadata service of AWS over version 6; it lies inside of a private range. */
const METADATA = ipaddr.IPv6.parseCIDR('fd00:ec2::/32');
/** The part of version 6 that is in use on the internet; the library calls the rest unicast, too. */
const GLOBAL = ipaddr.IPv6.parseCIDR('2000::/3');

/**
 * Prefixes that carry a version 4 address, which begins at the byte `at`. What is carried decides. A carrier that is out
 * of use leads to nothing public: neither IPv4-compatible addresses nor the relays of 6to4 are routed any more.
 */
const CARRIERS: readonly { prefix: [ipaddr.IPv6, number]; at: number; inUse: boolean }[] = [
  // IPv4-mapped.
  { prefix: ipaddr.IPv6.parseCIDR('::ffff:0:0/96'), at: 12, inUse: true },
  // NAT64: what a resolver with DNS64 answers in a network without version 4.
  { prefix: ipaddr.IPv6.parseCIDR('64:ff9b::/96'), at: 12, inUse: true },
  // IPv4-compatible.
  { prefix: ipaddr.IPv6.parseCIDR('::/96'), at: 12, inUse: false },
  // 6to4.
  { prefix: ipaddr.IPv6.parseCIDR('2002::/16'), at: 2, inUse: false },
];

/** @param address as a resolver gives it: four numbers with dots, or version 6 without brackets */
export function addressKind(address: string): AddressKind {
  const parsed = parse(address);
  return parsed ? kindOf(parsed) : 'forbidden';
}

/** What kind of address a host of a URL is, brackets of version 6 included; null for a name. */
export function kindOfHost(host: string): AddressKind | null {
  const parsed = parse(host.replace(/^\[(.*)\]$/, '$1'));
  return parsed && kindOf(parsed);
}

const kindOf = (address: ipaddr.IPv4 | ipaddr.IPv6): AddressKind =>
  address instanceof ipaddr.IPv6 ? kindOfV6(address) : kindOfRange(address);

function kindOfV6(address: ipaddr.IPv6): AddressKind {
  if (address.match(METADATA)) return 'forbidden';
  const kind = kindOfRange(address);
  if (kind === 'loopback') return kind;
  const carrier = CARRIERS.find(({ prefix }) => address.match(prefix));
  if (carrier) {
    const carried = kindOfRange(new ipaddr.IPv4(address.toByteArray().slice(carrier.at, carrier.at + 4)));
    return carried === 'public' && !carrier.inUse ? 'forbidden' : carried;
  }
  return kind === 'public' && !address.match(GLOBAL) ? 'forbidden' : kind;
}

const kindOfRange = (address: ipaddr.IPv4 | ipaddr.IPv6): AddressKind => KINDS[address.range()] ?? 'forbidden';

function parse(text: string): ipaddr.IPv4 | ipaddr.IPv6 | null {
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipaddr.IPv4.parse(text);
  const bare = text.split('%')[0]!;
  if (!/^[0-9a-f.]*:[0-9a-f:.]*$/i.test(bare) || !URL.canParse(`http://[${bare}]/`)) return null;
  // As the host of a URL an address has groups alone. The library reads '::10.0.0.1' as another address than '::a00:1'.
  return ipaddr.IPv6.parse(new URL(`http://[${bare}]/`).hostname.slice(1, -1));
}
