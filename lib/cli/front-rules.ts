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

type Refusal = Extract<FrontDecision, { kind: 'refused' }>;
type Rule = (request: FrontRequest, port: number) => Refusal | null;

const SAFE = new Set(['GET', 'HEAD']);

/** Each refuses what the others would let through. */
export const FRONT_RULES = {
  host: ({ header }, port) => {
    const host = header('host')?.toLowerCase();
    if (host !== undefined && ownHosts(port).includes(host)) return null;
    return refused(421, `The Host of the request is not this address. Open http://${ownHosts(port)[0]}/ itself.`);
  },

  path: ({ url }) =>
    url.startsWith('/') ? null : refused(400, 'The request line must hold a path, not a whole address.'),

  origin: ({ header, method }) => {
    if (isProgram(header)) return null;
    const origin = header('origin');
    const own = `http://${header('host')?.toLowerCase()}`;
    if (origin === undefined ? SAFE.has(method) : origin === own) return null;
    return refused(403, `A browser may change things only from the page at ${own}/; this came from elsewhere.`);
  },

  site: ({ header, method }) => {
    const site = header('sec-fetch-site');
    if (isProgram(header) || site === 'same-origin') return null;
    if (site === 'none' && SAFE.has(method) && header('sec-fetch-mode') === 'navigate') return null;
    return refused(403, `Another site sent the browser here. Type the address instead: http://${header('host')}/`);
  },
} as const satisfies Record<string, Rule>;

/**
 * @param port the port the front listens on
 * @param rules all of them; tests leave one out to see that it is needed
 */
export function judgeRequest(
  request: FrontRequest,
  port: number,
  rules: readonly Rule[] = Object.values(FRONT_RULES),
): FrontDecision {
  for (const rule of rules) {
    const refusal = rule(request, port);
    if (refusal) return refusal;
  }
  return { kind: isProgram(request.header) ? 'as_is' : 'operator' };
}

const ownHosts = (port: number) => [`127.0.0.1:${port}`, `localhost:${port}`];

const isProgram = (header: FrontRequest['header']) => header('sec-fetch-site') === undefined;

function refused(status: Refusal['status'], detail: string): Refusal {
  return { kind: 'refused', status, code: status === 400 ? 'invalid_input' : 'forbidden', detail };
}
