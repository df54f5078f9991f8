/**
 * What a request must look like to be passed on: one length, one line per header, a method that says what it does, and
 * no trace of having been here before. Pure: from what API Gateway hands over to a refusal or the headers to send.
 */

import { CrossfadeError } from '../base/errors.ts';

/**
 * A function gets and gives at most 6 MB, in which the body is base64: four characters for three bytes. 4.5 MB of body
 * leave 290 KB for headers. API Gateway itself takes 10 MB and answers 413 above the function's limit.
 */
export const MAX_BODY_BYTES = 4_500_000;
const MAX_HEADER_CHARACTERS = 32_768;
/** Entries of X-Forwarded-For that go on; the nearest proxies are the last. */
const FORWARDED_FOR_ENTRIES = 10;

/** Headers that would make one method mean another to the upstream. */
const METHOD_OVERRIDES = ['x-http-method-override', 'x-http-method', 'x-method-override'];

export type IncomingRequest = {
  method: string;
  /** Names in lower case; repeated ones joined by commas, as API Gateway does. */
  headers: Readonly<Record<string, string>>;
  bodyBytes: number;
};

/** How a proxy of this cutover signs requests in the Via header. */
const pseudonymOf = (cutover: string): string => `crossfade-${cutover}`;

/**
 * @throws CrossfadeError `invalid_input` (ambiguous length, line breaks, a WebSocket), `method_not_allowed` (override),
 *   `too_large`, `loop_detected`
 */
export function refuseRequest(request: IncomingRequest, cutover: string): void {
  const { headers } = request;
  const overriding = METHOD_OVERRIDES.find((name) => headers[name] !== undefined);
  if (overriding) {
    throw new CrossfadeError(
      'method_not_allowed',
      `The header ${overriding} would turn ${request.method} into another method; send that method itself.`,
    );
  }
  // Any other upgrade, such as h2c, is an offer that a server may leave.
  if (/\bwebsocket\b/i.test(headers.upgrade ?? ''))
    throw new CrossfadeError(
      'invalid_input',
      'A WebSocket does not pass the gateway, which answers one request at a time. Have DNS or a load balancer share it out, by read_ppm of GET /v1/flags.',
    );
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/.test(name) || /[^\t\x20-\x7e\x80-\xff]/.test(value))
      throw new CrossfadeError(
        'invalid_input',
        'A header has a control character, a line break or a character beyond Latin-1 in it.',
      );
  }
  const characters = Object.entries(headers).reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  if (characters > MAX_HEADER_CHARACTERS)
    throw new CrossfadeError(
      'too_large',
      `The headers have ${characters} characters; ${MAX_HEADER_CHARACTERS} may be.`,
    );
  refuseLength(request);
  if ((headers.via ?? '').split(',').some((hop) => hop.trim().split(/\s+/)[1] === pseudonymOf(cutover))) {
    throw new CrossfadeError(
      'loop_detected',
      `This request has passed the gateway of cutover '${cutover}' before: one of its upstreams leads back here.`,
    );
  }
}

function refuseLength({ headers, bodyBytes }: IncomingRequest): void {
  const length = headers['content-length'];
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && coding.trim().toLowerCase() !== 'chunked')
    throw new CrossfadeError('invalid_input', 'The only transfer encoding that is known here is chunked.');
  // Beside a coding, too: a server that takes the coding off may add the length. Neither goes on.
  if (length !== undefined && (!/^\d{1,15}$/.test(length) || Number(length) !== bodyBytes)) {
    throw new CrossfadeError(
      'invalid_input',
      `Content-Length is '${length.slice(0, 40)}' and the body has ${bodyBytes} bytes; it must be that number, once.`,
    );
  }
  if (bodyBytes > MAX_BODY_BYTES)
    throw new CrossfadeError('too_large', `The body has ${bodyBytes} bytes; ${MAX_BODY_BYTES} can be passed on.`);
}

/** The correlation id of a request, or null: the first of the configured headers that holds printable text. */
export function correlationIdOf(headers: Readonly<Record<string, string>>, names: readonly string[]): string | null {
  for (const name of names) {
    const value = headers[name]?.trim().slice(0, 200);
    if (value) return value;
  }
  return null;
}

/** What this proxy adds: who it is, and no more of the chain of addresses than anybody needs. */
export function withProxyHeaders(
  headers: Readonly<Record<string, string>>,
  cutover: string,
  own: Readonly<Record<string, string>>,
): Record<string, string> {
  const forwardedFor = headers['x-forwarded-for'];
  return {
    ...headers,
    ...(forwardedFor === undefined
      ? {}
      : {
          'x-forwarded-for': forwardedFor
            .split(',')
            .map((entry) => entry.trim())
            .slice(-FORWARDED_FOR_ENTRIES)
            .join(', '),
        }),
    via: [headers.via, `1.1 ${pseudonymOf(cutover)}`].filter(Boolean).join(', '),
    ...own,
  };
}

/** Where the gateway's own token comes; it goes nowhere from there. */
export const TOKEN_HEADER = 'x-crossfade-authorization';

/** Headers that are never stored: they are the gateway's own, or belong to one connection. */
const NOT_KEPT = /^(connection|content-length|transfer-encoding|host|x-amzn-.*|x-crossfade-.*)$/;

/** What of a request's headers may be stored, to be sent again later. */
export function keptHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !NOT_KEPT.test(name)));
}
