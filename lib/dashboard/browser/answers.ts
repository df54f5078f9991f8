/**
 * Asks the server that sent the page. The text of an answer may come from anybody: control characters and direction marks are
 * spelled out here, so that nothing hides or reorders what is read. That text never becomes markup is up to the renderer.
 */

export type Answer<Body> =
  | { kind: 'answered'; body: Body }
  /** `why` is a sentence. */
  | { kind: 'refused'; why: string }
  /** Nothing came, or only a part of it: what was asked for may have been done. */
  | { kind: 'unanswered'; isLate: boolean };

export async function ask<Body>(path: string, request: RequestInit): Promise<Answer<Body>> {
  try {
    const response = await fetch(path, { ...request, cache: 'no-store' });
    const body = parse(await response.text());
    if (!response.ok) return { kind: 'refused', why: detailOf(body) ?? `the server answered ${response.status}.` };
    // A proxy on the way has pages of its own, and says that they are fine.
    if (body === undefined) return { kind: 'refused', why: 'the answer is not JSON.' };
    return { kind: 'answered', body: body as Body };
  } catch (error) {
    return { kind: 'unanswered', isLate: error instanceof Error && error.name === 'TimeoutError' };
  }
}

export const send = <Body>(path: string, body: object, headers: Record<string, string> = {}) =>
  ask<Body>(path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });

function parse(text: string): unknown {
  try {
    return JSON.parse(text, (_, value: unknown) => (typeof value === 'string' ? spellOut(value) : value));
  } catch {
    return undefined;
  }
}

function detailOf(body: unknown): string | null {
  const detail = typeof body === 'object' && body !== null && 'detail' in body ? body.detail : null;
  return typeof detail === 'string' ? detail : null;
}

const HIDDEN = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

function spellOut(text: string): string {
  return text.replace(HIDDEN, (character) => {
    const code = character.charCodeAt(0);
    return code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`;
  });
}
