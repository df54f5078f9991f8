/** HTTP services that the configuration names. */

export type UpstreamTarget = {
  url: string;
  privateHosts: readonly string[];
  /** True when `%2F` and `%5C` may stand in a path. */
  encodedSlashes?: boolean;
};

export type UpstreamRequest = {
  method: string;
  /** Path below the upstream's base, as the caller wrote it (still encoded), without a leading slash. */
  path: string;
  query: string;
  headers: Readonly<Record<string, string>>;
  body: Uint8Array | null;
  /** Path under which callers reach the upstream's base, with a slash at the end: where its own redirects lead. */
  mount: string;
  deadlineMs: number;
  /** True when the caller can be answered bit by bit: a long answer is handed over before it has ended. */
  streamed?: boolean;
  /** True when the body is wanted without its compression: two servers compress the same in two ways. */
  decoded?: boolean;
};

export type UpstreamResponse = {
  status: number;
  headers: Readonly<Record<string, string>>;
  /** Set-Cookie headers, each on its own. */
  cookies: readonly string[];
  /** All of it, or what came before `rest`. */
  body: Uint8Array;
  rest?: AnswerRest;
};

/** What is still to come of an answer that was handed over before its end. */
export type AnswerRest = {
  /** Throws where the upstream breaks off. */
  parts: AsyncIterable<Uint8Array>;
  /** How it ended: all was read, the upstream broke off, or no more was wanted. Never rejects. */
  ended: Promise<'whole' | 'broken' | 'left'>;
  /** No more of it is wanted. */
  leave(): void;
};

/**
 * Calls an upstream that the configuration names.
 * @throws CrossfadeError `invalid_input` (a path that leaves the base), `upstream_refused` (an address or redirect that is
 *   not allowed), `upstream_unavailable`, `upstream_timeout`; `details.sent` is false when nothing can have arrived
 */
export type Upstream = (target: UpstreamTarget, request: UpstreamRequest) => Promise<UpstreamResponse>;
