/**
 * Answers that hold more than values: responses, files, streams. A copy is kept before the caller reads its own, bodies are
 * read within limits, and what a comparison asked for and does not need is closed, so that no socket waits for a reader.
 */

import type { Fields } from '../core/forwards/comparable.ts';
import { diffJson } from '../core/forwards/json-diff.ts';
import { parseJson } from '../core/forwards/json-text.ts';

type Body = Response | Request;

const MAX_BODY_BYTES = 1_000_000;

/** Node loads these when they are first mentioned, which costs more than a comparison. */
const isA = (name: 'Response' | 'Request' | 'Blob' | 'FormData', value: unknown): boolean =>
  typeof value === 'object' && value !== null && Symbol.toStringTag in value && value instanceof globalThis[name];

const hasBody = (value: unknown): value is Body => isA('Response', value) || isA('Request', value);

/**
 * What is compared of an answer that the caller gets, too.
 * @throws where it was read before, or cannot be copied whole
 */
export function kept<T>(answer: T, snapshot: boolean): T {
  if (hasBody(answer)) return answer.clone() as T;
  if (!snapshot) return answer;
  const copy = structuredClone(answer);
  const { differences, unseen } = diffJson(answer, copy);
  if (differences.length + unseen.length > 0) throw new TypeError('The answer cannot be copied whole.');
  return copy;
}

/** The same with what has to be waited for, until `over`; what is too large stays a stream, which is not compared. */
export async function loaded(answer: unknown, over: AbortSignal): Promise<unknown> {
  if (isA('Blob', answer)) {
    const { type, size, name } = answer as File;
    return { type, name, body: size > MAX_BODY_BYTES ? answer : new Uint8Array(await (answer as Blob).arrayBuffer()) };
  }
  if (isA('FormData', answer)) {
    const entries = [...(answer as FormData)];
    return Promise.all(entries.map(async ([name, value]) => [name, await loaded(value, over)]));
  }
  return hasBody(answer) ? { ...headOf(answer), body: await bodyOf(answer, over) } : answer;
}

function headOf(answer: Body): Fields {
  const type = answer.headers.get('content-type')?.toLowerCase().replace(BOUNDARY, '').replaceAll(' ', '');
  if (!('status' in answer)) return { method: answer.method, url: answer.url, headers: answer.headers, type };
  return { status: answer.status, type, location: answer.headers.get('location') };
}

const BOUNDARY = /;\s*boundary="?([^";]+)"?/i;

/** JSON as such, all else as bytes; undefined where there is none. */
async function bodyOf(answer: Body, over: AbortSignal): Promise<unknown> {
  if (answer.body === null) return undefined;
  const bytes = answer.bodyUsed || over.aborted ? null : await read(answer.body, over);
  if (!bytes) return answer.body;
  const type = answer.headers.get('content-type') ?? '';
  if (/[/+]json\b/i.test(type)) {
    try {
      return parseJson(new TextDecoder().decode(bytes));
    } catch {
      return bytes;
    }
  }
  // Made up for every form.
  const boundary = BOUNDARY.exec(type)?.[1];
  return boundary ? new TextDecoder('latin1').decode(bytes).replaceAll(boundary, '') : bytes;
}

async function read(body: ReadableStream<Uint8Array>, over: AbortSignal): Promise<Uint8Array | null> {
  const parts: Uint8Array[] = [];
  let size = 0;
  const reader = body.getReader();
  const cancel = () => void reader.cancel().catch(ignore);
  over.addEventListener('abort', cancel, { once: true });
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    size += part.value.length;
    if (size > MAX_BODY_BYTES) {
      cancel();
      return null;
    }
  }
  return Buffer.concat(parts);
}

type Closable = {
  body?: unknown;
  cancel?(): Promise<void>;
  getReader?: unknown;
  destroy?(): void;
  on?(event: 'error', ignored: () => void): void;
  readable?: boolean;
  next?: unknown;
  return?(): unknown;
};

const ignore = () => {};

/** Promises that fail after all is over must not end the process. */
export function silence(answer: unknown): void {
  for (const part of partsOf(answer)) if (part instanceof Promise) part.catch(ignore);
}

/** Gives up every stream of an answer, but for those that the caller has, too. */
export function close(answer: unknown, callers: unknown): void {
  const theirs = new Set(partsOf(callers));
  for (const part of partsOf(answer)) if (!theirs.has(part)) closePart(part as Closable);
}

function closePart(part: Closable): void {
  try {
    if (typeof part.getReader === 'function') void part.cancel?.().catch(ignore);
    else if (part.readable === true && typeof part.destroy === 'function') {
      part.on?.('error', ignore);
      part.destroy();
    } else if (typeof part.next === 'function') void Promise.resolve(part.return?.()).catch(ignore);
  } catch {
    // Its own affair.
  }
}

/** An answer, its body and, of plain objects and short lists, what is in them. */
function partsOf(answer: unknown): object[] {
  if (typeof answer !== 'object' || answer === null) return [];
  try {
    const isPlain = Array.isArray(answer)
      ? answer.length <= MAX_PARTS
      : Object.getPrototypeOf(answer) === Object.prototype;
    const parts: unknown[] = [answer, (answer as Closable).body, ...(isPlain ? Object.values(answer) : [])];
    return parts.filter((part) => typeof part === 'object' && part !== null) as object[];
  } catch {
    return [answer];
  }
}

const MAX_PARTS = 1_000;
