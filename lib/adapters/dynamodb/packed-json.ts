/**
 * JSON that is read whole or not at all, as deflated bytes: a third of the text, and DynamoDB charges by size. Text, as an
 * earlier version of the program left it, reads the same.
 */

import { deflateRawSync, inflateRawSync } from 'node:zlib';

/** Higher levels cost twice the time and save a twentieth more. */
const LEVEL = 3;

export const packed = (value: unknown): Uint8Array => deflateRawSync(JSON.stringify(value), { level: LEVEL });

/** The JSON text; whatever is neither bytes of ours nor text comes as it is, for the schema to refuse. */
export function unpacked(stored: unknown): unknown {
  if (!(stored instanceof Uint8Array)) return stored;
  try {
    return inflateRawSync(stored).toString();
  } catch {
    return stored;
  }
}
