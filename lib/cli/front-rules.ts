/**
 * Which requests of the local front may act as the operator. The front adds a token that the page never sees, so it must
 * tell its own page and a typed address from everything else a browser can be talked into sending.
 *
 *   Host           must be this very address: a name that was re-bound to 127.0.0.1 keeps its own Host
 *   Sec-Fetch-Site is set by the browser and cannot be set by a page: `same-origin`, or `none` for a typed address
 *   Origin         must be this very address when something is changed
 *
 * Programs send no Sec-Fetch-Site; they pass through as they are and need a token of their own.
 */

export type FrontRequest = {
  method: string;
  url: string;
  header(name: string): string | undefined;
};

export type FrontDecision =
  /** Pass on with the operator's token. */
  | { kind: 'operator' }
  /** Pass on as it is. */
  | { kind: 'as_is' }
  | { kind: 'refused'; status: 400 | 403 | 421; code: 'invalid_input' | 'forbidden'; detail: string };

const SAFE = new Set(['GET', 'HEAD']);

/** @param port the port the front listens on */
export function judgeRequest(request: FrontRequest, port: number): FrontDecision {
  const host = request.header('host');
  const hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
  if (host === undefined || !hosts.includes(host.toLowerCase())) {
    return refused(421, `The Host of the request is not this address. Open http://${hosts[0]}/ itself.`);
  }
  if (!request.url.startsWith('/')) return refused(400, 'The request line must hold a path, not a whole address.');
  const site = request.header('sec-fetch-site');
  if (site === undefined) return { kind: 'as_is' };
  const own = [`http://${host.toLowerCase()}`];
  const origin = request.header('origin');
  const safe = SAFE.has(request.method);
  if (origin === undefined ? !safe : !own.includes(origin)) {
    return refused(403, `A browser may change things only from the page at http://${host}/; this came from elsewhere.`);
  }
  if (site === 'same-origin') return { kind: 'operator' };
  if (site === 'none' && safe && request.header('sec-fetch-mode') === 'navigate') return { kind: 'operator' };
  return refused(403, `Another site sent the browser here. Type the address instead: http://${host}/`);
}

function refused(status: 400 | 403 | 421, detail: string): FrontDecision {
  return { kind: 'refused', status, code: status === 400 ? 'invalid_input' : 'forbidden', detail };
}
