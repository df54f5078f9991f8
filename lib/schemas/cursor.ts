/**
 * Cursors of long lists: opaque to callers, bound to one list, good for a day. They hold no secret and grant nothing: a
 * position in a list that the caller may read anyway. The check digits tell a damaged or foreign one from ours.
 */

import { CrossfadeError } from '../core/base/errors.ts';
import { DAY_MS } from '../core/base/units.ts';
import { murmur3 } from '../core/routing/murmur3.ts';

const MAX_CURSOR = 400;

export function writeCursor(list: string, position: number, nowMs: number): string {
  const body = JSON.stringify([list, position, nowMs]);
  return Buffer.from(JSON.stringify([body, murmur3(body)])).toString('base64url');
}

/** The position. @throws CrossfadeError `invalid_input` when forged, of another list, or older than a day */
export function readCursor(list: string, cursor: string, nowMs: number): number {
  const [ofList, position, atMs] = opened(cursor);
  if (ofList !== list || !Number.isSafeInteger(position) || (position as number) < 0)
    throw refused('it belongs to another list');
  if (typeof atMs !== 'number' || nowMs - atMs > DAY_MS || atMs > nowMs + DAY_MS)
    throw refused('it is older than a day');
  return position as number;
}

function opened(cursor: string): unknown[] {
  if (cursor.length > MAX_CURSOR || !/^[\w-]+$/.test(cursor)) throw refused('it was not given out by this API');
  try {
    const [body, check] = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8')) as [string, number];
    if (typeof body !== 'string' || murmur3(body) !== check) throw new SyntaxError('damaged');
    return JSON.parse(body) as unknown[];
  } catch {
    throw refused('it was not given out by this API');
  }
}

const refused = (why: string) =>
  new CrossfadeError('invalid_input', `The cursor cannot be used: ${why}. Begin without one.`);
