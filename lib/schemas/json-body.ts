/** The JSON body of a request: bounded in size and depth, and an object. Without a validation library, since every function loads it. */

import { CrossfadeError } from '../core/base/errors.ts';

const MAX_BODY_BYTES = 64 * 1024;
const MAX_DEPTH = 16;

type HttpEvent = {
  body?: string;
  isBase64Encoded?: boolean;
  headers: Readonly<Record<string, string | undefined>>;
  requestContext: { http: { method: string } };
};

/**
 * The JSON body of a request; undefined for methods that have none.
 * @throws CrossfadeError `too_large`, `unsupported_media_type`, `invalid_json`, `invalid_input`
 */
export function readJsonBody(event: HttpEvent): unknown {
  const { method } = event.requestContext.http;
  if (method === 'GET' || method === 'HEAD') return undefined;
  const raw = event.body ?? '';
  if (raw.length > MAX_BODY_BYTES * 1.4) throw tooLarge(raw.length);
  const type = (event.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
  if (type !== 'application/json') {
    throw new CrossfadeError(
      'unsupported_media_type',
      `The body must be application/json, the Content-Type says '${type.slice(0, 80) || 'nothing'}'.`,
    );
  }
  const coding = event.headers['content-encoding']?.trim().toLowerCase() || 'identity';
  if (coding !== 'identity')
    throw new CrossfadeError(
      'unsupported_media_type',
      `The body must not be compressed, the Content-Encoding says '${coding.slice(0, 80)}'. Send the JSON as it is.`,
    );
  const bytes = Buffer.from(raw, event.isBase64Encoded ? 'base64' : 'utf8');
  if (bytes.length > MAX_BODY_BYTES) throw tooLarge(bytes.length);
  const value = parseJson(bytes);
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new CrossfadeError(
      'invalid_input',
      `The body must be a JSON object, it is ${value === null ? 'null' : Array.isArray(value) ? 'an array' : `a ${typeof value}`}.`,
    );
  }
  return value;
}

function tooLarge(bytes: number): CrossfadeError {
  return new CrossfadeError(
    'too_large',
    `The body has ${bytes} bytes; ${MAX_BODY_BYTES} are allowed. Send it in parts.`,
  );
}

function parseJson(bytes: Buffer): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    if (deeperThan(text, MAX_DEPTH)) throw new SyntaxError(`it is nested deeper than ${MAX_DEPTH} levels`);
    // Objects without a prototype chain to pollute: the key is kept, so that the schema refuses it by name.
    return JSON.parse(text, function keepProto(key, value) {
      if (key === '__proto__')
        throw new CrossfadeError('unknown_property', 'The body has the property __proto__, which is not known here.');
      return value;
    });
  } catch (error) {
    if (error instanceof CrossfadeError) throw error;
    const why =
      error instanceof SyntaxError && error.message.startsWith('it is')
        ? error.message
        : 'it does not parse as UTF-8 JSON';
    throw new CrossfadeError('invalid_json', `The body is not usable JSON: ${why}.`);
  }
}

/** Counts brackets outside of strings, so that a deep body is refused before it is parsed. */
function deeperThan(text: string, limit: number): boolean {
  let depth = 0;
  let inString = false;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (inString) {
      if (c === 0x5c) i += 1;
      else if (c === 0x22) inString = false;
    } else if (c === 0x22) inString = true;
    else if (c === 0x7b || c === 0x5b) {
      depth += 1;
      if (depth > limit) return true;
    } else if (c === 0x7d || c === 0x5d) depth -= 1;
  }
  return false;
}
