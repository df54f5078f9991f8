/** The description of the HTTP API, for those who make clients of it. */

import { type Route, route } from '../http/route.ts';

/** The tables given, and with them the route that describes them and those of the other functions. */
export function described(own: readonly Route[]): readonly Route[] {
  const description = route({
    method: 'GET',
    path: '/v1/openapi.json',
    scope: 'control:read',
    summary: 'This description.',
    handle: async () => {
      // Asked for rarely: the control API starts without the others.
      const { describeWith } = await import('./whole-api.ts');
      return { status: 200, body: describeWith(all) };
    },
  });
  const all: readonly Route[] = [...own, description];
  return all;
}
