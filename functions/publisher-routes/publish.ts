/**
 * Asks for a look of the publisher at once, past the stream that wakes it: for a stop while that stream is late or silent. It publishes
 * what the states say and nothing else, as every look does, so it may be asked at any time, and again.
 */

import type { CutoverDeclaration } from '../../lib/core/cutover/cutover.ts';
import { type PublishPorts, publishFlags } from '../../lib/flows/publishing/publish-flags.ts';
import { PUBLISH } from '../../lib/schemas/http.ts';
import { routesOf, type Served } from '../http/route.ts';

type Publisher = Served & {
  ports: Served['ports'] & PublishPorts;
  cutovers(): Promise<readonly CutoverDeclaration[]>;
};

export const publisherRoutes = [
  routesOf<Publisher>()({
    method: 'POST',
    path: '/v1/flags/publish',
    scope: 'control:stop',
    summary: 'Publishes at once what the states say, past the stream that else wakes the publisher.',
    body: PUBLISH,
    handle: async ({ ports, cutovers }) => {
      const { latestVersion } = await publishFlags(ports, await cutovers());
      return { status: 200, body: { version: latestVersion } };
    },
  }),
];
