/** One POST of JSON to Crossfade's own API. */

export type ApiAccess = {
  /** Of the API. One with a stage or base path ends with a slash: `https://api.example.com/prod/`. */
  url: string;
  /** Called for every request, so that short-lived tokens stay fresh. */
  token: () => string | Promise<string>;
};

export async function postJson({ url, token }: ApiAccess, path: string, body: unknown, signal: AbortSignal) {
  return fetch(new URL(path, url), {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${await token()}` },
    body: JSON.stringify(body),
    signal,
  });
}
