/**
 * Which network addresses a request may be sent to. Decided from the bytes of an address, never from how it is written:
 * `::ffff:10.0.0.1`, `0x7f000001` and `127.1` are what they are.
 */

export type AddressKind =
  | 'public'
  | 'private'
  | 'loopback'
  /** Link-local (where clouds keep their metadata), multicast, unspecified, reserved, or no address at all. */
  | 'forbidden';

type Range = readonly [first: string, bits: number, kind: AddressKind];

const V4: readonly Range[] = [
  ['0.0.0.0', 8, 'forbidden'],
  ['10.0.0.0', 8, 'private'],
  ['100.64.0.0', 10, 'private'],
  ['127.0.0.0', 8, 'loopback'],
  ['169.254.0.0', 16, 'forbidden'],
  ['172.16.0.0', 12, 'private'],
  ['192.0.0.0', 24, 'forbidden'],
  ['192.0.2.0', 24, 'forbidden'],
  ['192.168.0.0', 16, 'private'],
  ['198.18.0.0', 15, 'forbidden'],
  ['198.51.100.0', 24, 'forbidden'],
  ['203.0.113.0', 24, 'forbidden'],
  ['224.0.0.0', 3, 'forbidden'],
];

const V6: readonly Range[] = [
  ['::1', 128, 'loopback'],
  // The metadata service of AWS over version 6; it lies inside of the private range below.
  ['fd00:ec2::', 32, 'forbidden'],
  ['fc00::', 7, 'private'],
];
/** Only these are in use on the internet; everything else is reserved, link-local or multicast. */
const V6_GLOBAL: Range = ['2000::', 3, 'public'];
const V6_DOCUMENTATION: Range = ['2001:db8::', 32, 'forbidden'];
/** Prefixes that carry a version 4 address: the bit where it begins. */
const CARRIERS: readonly (readonly [first: string, bits: number, at: number])[] = [
  ['::ffff:0:0', 96, 96],
  ['::', 96, 96],
  ['64:ff9b::', 96, 96],
  ['2002::', 16, 16],
];

/** @param address as a resolver gives it: four numbers with dots, or version 6 without brackets */
export function addressKind(address: string): AddressKind {
  const v4 = parseV4(address);
  if (v4) return kindOfV4(v4);
  const v6 = parseV6(address);
  if (!v6) return 'forbidden';
  const special = V6.find(([first, bits]) => within(v6, parseV6(first)!, bits));
  if (special) return special[2];
  for (const [first, bits, at] of CARRIERS)
    if (within(v6, parseV6(first)!, bits)) return kindOfV4(v6.slice(at / 8, at / 8 + 4));
  if (within(v6, parseV6(V6_DOCUMENTATION[0])!, V6_DOCUMENTATION[1])) return 'forbidden';
  return within(v6, parseV6(V6_GLOBAL[0])!, V6_GLOBAL[1]) ? 'public' : 'forbidden';
}

/** True for a host that is an address rather than a name; brackets of version 6 are allowed. */
export function isAddress(host: string): boolean {
  const bare = host.replace(/^\[(.*)\]$/, '$1');
  return parseV4(bare) !== null || parseV6(bare) !== null;
}

function kindOfV4(bytes: readonly number[]): AddressKind {
  return V4.find(([first, bits]) => within(bytes, parseV4(first)!, bits))?.[2] ?? 'public';
}

function within(bytes: readonly number[], first: readonly number[], bits: number): boolean {
  for (let bit = 0; bit < bits; bit += 8) {
    const mask = 0xff & (0xff << Math.max(0, 8 - (bits - bit)));
    if ((bytes[bit / 8]! & mask) !== (first[bit / 8]! & mask)) return false;
  }
  return true;
}

function parseV4(text: string): number[] | null {
  if (!/^(\d{1,3})(\.\d{1,3}){3}$/.test(text)) return null;
  const bytes = text.split('.').map(Number);
  return bytes.every((byte) => byte <= 255) ? bytes : null;
}

function parseV6(text: string): number[] | null {
  const bare = text.split('%')[0]!.toLowerCase();
  const [head = '', tail, ...more] = bare.split('::');
  if (!bare.includes(':') || more.length > 0) return null;
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  if (!before || !after) return null;
  const missing = 16 - before.length - after.length;
  if (tail === undefined ? missing !== 0 : missing < 2) return null;
  return [...before, ...new Array<number>(missing).fill(0), ...after];
}

/** The bytes of colon-separated groups, of which the last may be a version 4 address. */
function groups(text: string): number[] | null {
  if (text === '') return [];
  const parts = text.split(':');
  const bytes: number[] = [];
  for (const [index, part] of parts.entries()) {
    const v4 = index === parts.length - 1 ? parseV4(part) : null;
    if (v4) bytes.push(...v4);
    else if (/^[0-9a-f]{1,4}$/.test(part)) bytes.push(Number.parseInt(part, 16) >> 8, Number.parseInt(part, 16) & 0xff);
    else return null;
  }
  return bytes;
}
