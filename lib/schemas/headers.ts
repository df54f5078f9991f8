/** The headers that a route may ask for: what the description says of each, and how its value is read. */

import { CrossfadeError } from '../core/base/errors.ts';
import { type Json, textOf } from './input.ts';

const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,200}$/;
const IF_MATCH = /^"(\d{1,15})"$/;

export const HEADERS = {
  'idempotency-key': {
    required: true,
    description:
      'Sent again with the same body it gives the same answer, and nothing is done twice; a UUID is a good one.',
    schema: textOf(IDEMPOTENCY_KEY),
    read: readIdempotencyKey,
  },
  'if-match': {
    required: true,
    description: 'The version that the command is based on, as the ETag of a read gives it.',
    schema: textOf(IF_MATCH),
    read: readIfMatch,
  },
  'if-none-match': {
    required: false,
    description: 'The ETag of the answer that the caller has.',
    schema: { type: 'string' },
    read: (value: string | undefined) => value,
  },
} as const satisfies Readonly<
  Record<string, { required: boolean; description: string; schema: Json; read(value: string | undefined): unknown }>
>;

export type HeaderName = keyof typeof HEADERS;
export type HeaderValues<Name extends HeaderName> = { [N in Name]: ReturnType<(typeof HEADERS)[N]['read']> };

/** @throws CrossfadeError `invalid_input` when missing, too long or not printable ASCII */
export function readIdempotencyKey(value: string | undefined): string {
  if (value !== undefined && IDEMPOTENCY_KEY.test(value)) return value;
  throw new CrossfadeError(
    'invalid_input',
    'Commands need an Idempotency-Key header of 1–200 printable ASCII characters; a UUID is a good one.',
  );
}

/** The version of an `If-Match: "12"`. @throws CrossfadeError `precondition_required`, `invalid_input` */
export function readIfMatch(value: string | undefined): number {
  if (value === undefined) {
    throw new CrossfadeError(
      'precondition_required',
      'Commands need an If-Match header with the version they are based on, as the ETag of GET /v1/cutovers/{cutover} gives it: If-Match: "12".',
    );
  }
  const match = IF_MATCH.exec(value);
  if (!match)
    throw new CrossfadeError('invalid_input', 'If-Match must be one strong tag such as "12": no *, no W/, no list.');
  return Number(match[1]);
}
