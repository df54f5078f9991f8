/** Where the sides of a cutover take writes: the upstreams of a service, the declared addresses of a component. Pure. */

import { staysBelow } from '../net/path.ts';
import type { CutoverDeclaration, ServiceDeclaration, Side } from './cutover.ts';

export type WriteTarget = { url: string; privateHosts: readonly string[]; encodedSlashes?: boolean };

/** One side of a service, as it is called. */
export const upstreamOf = ({ upstreams, gateway }: ServiceDeclaration, side: Side): WriteTarget => ({
  url: upstreams[side],
  privateHosts: gateway.privateHosts,
  encodedSlashes: gateway.encodedSlashes,
});

/** Null for a cutover whose sides take no forwarded writes. */
export function writeTarget(declaration: CutoverDeclaration, side: Side): WriteTarget | null {
  if (declaration.kind === 'service') return upstreamOf(declaration, side);
  if (declaration.kind === 'component' && declaration.writes)
    return { url: declaration.writes[side], privateHosts: declaration.writes.privateHosts };
  return null;
}

/** Every address that a declaration names, with its place there. */
export function declaredAddresses(declaration: CutoverDeclaration): readonly (WriteTarget & { field: string })[] {
  const field = declaration.kind === 'service' ? 'upstreams' : 'writes';
  const sides = (['primary', 'shadow'] as const).flatMap((side) => {
    const target = writeTarget(declaration, side);
    return target ? [{ ...target, field: `${field}.${side}` }] : [];
  });
  const checks = (declaration.criteria ?? []).flatMap((criterion, index) =>
    'http' in criterion
      ? [{ url: criterion.http, privateHosts: criterion.privateHosts, field: `criteria.${index}.http` }]
      : [],
  );
  return [...sides, ...checks];
}

/** The base and the last part of an address, so that what is asked is the address as it was declared. */
export function splitAddress(url: string): { base: string; path: string } {
  const { origin, pathname } = new URL(url);
  const end = pathname.lastIndexOf('/') + 1;
  return { base: `${origin}${pathname.slice(0, end)}`, path: pathname.slice(end) };
}

/** Is this a path below a base that stays below it, however it is read? Without a leading slash; may be empty. */
export function isPathBelow(path: string): boolean {
  if (!/^[A-Za-z0-9._~!$&'()*+,;=:@%/-]*$/.test(path) || path.startsWith('/')) return false;
  return !/%(?![0-9a-f]{2})|%2f|%5c/i.test(path) && staysBelow(path);
}
