/**
 * OFREP, the remote evaluation protocol of OpenFeature: its clients exist for every language, and a flag is a cutover. True
 * is the shadow.
 */

import type { RoutingComposition } from '../../lib/compose/routing.ts';
import { flagTag } from '../../lib/core/routing/flags.ts';
import { OPENFEATURE_REASONS } from '../../lib/core/routing/openfeature-reasons.ts';
import type { RouteRequest } from '../../lib/core/routing/routing.ts';
import { evaluation } from '../../lib/schemas/ofrep.ts';
import { PATH } from '../../lib/schemas/path.ts';
import { routesOf } from '../http/route.ts';
import { isKnown } from '../http/tags.ts';

type Evaluated = { key: string; value: boolean; variant: string; reason: string; metadata: object };

/** Null where no such cutover is known. */
function evaluate({ router }: RoutingComposition, key: string, request: RouteRequest): Evaluated | null {
  const { side, reason, stage, version, slice, ageMs } = router.route(key, request);
  if (reason === 'unknown_cutover' || reason === 'no_flags') return null;
  const place = slice === null ? {} : { slice };
  const metadata = { routeReason: reason, stage: stage ?? '', version, ageMs: Math.round(ageMs ?? 0), ...place };
  return { key, value: side === 'shadow', variant: side, reason: OPENFEATURE_REASONS[reason], metadata };
}

const route = routesOf<RoutingComposition>();

export const ofrepRoutes = [
  route({
    method: 'POST',
    path: '/ofrep/v1/evaluate/flags/{flag}',
    scope: 'route:read',
    summary: 'Which side a key goes to, in the protocol of OpenFeature: true is the shadow.',
    params: { flag: { ...PATH.cutover, find: (key: string | undefined) => key ?? '' } },
    body: evaluation,
    async handle(composition, { params: { flag: key }, body }) {
      if ('errorCode' in body) return { status: 400, body: { key, ...body } };
      await composition.router.refresh();
      if (!composition.router.flags()) return notReady(key);
      const evaluated = evaluate(composition, key, body.request);
      if (evaluated) return { status: 200, body: evaluated };
      const errorDetails = `No cutover '${key.slice(0, 64)}' is known.`;
      return { status: 404, body: { key, errorCode: 'FLAG_NOT_FOUND', errorDetails } };
    },
  }),
  route({
    method: 'POST',
    path: '/ofrep/v1/evaluate/flags',
    scope: 'route:read',
    summary: 'The same of every cutover at once. An answer that did not change costs a 304.',
    headers: ['if-none-match'],
    body: evaluation,
    answers: { 200: ['application/json'], 304: [] },
    async handle(composition, { body, headers }) {
      if ('errorCode' in body) return { status: 400, body };
      await composition.router.refresh();
      const known = composition.router.flags();
      if (!known) return notReady();
      const flags = Object.keys(known.document.cutovers).flatMap(
        (key) => evaluate(composition, key, body.request) ?? [],
      );
      const etag = tagOf(flags);
      if (isKnown(etag, headers['if-none-match'])) return { status: 304, headers: { etag }, text: '' };
      return { status: 200, headers: { etag }, body: { flags } };
    },
  }),
];

/** The age of the flags is no part of what they say. */
const tagOf = (flags: readonly Evaluated[]): string =>
  flagTag(flags.map(({ metadata, ...said }) => ({ ...said, metadata: { ...metadata, ageMs: 0 } })));

function notReady(key?: string) {
  const errorDetails = 'No flags could be read from AppConfig yet. Try again; until then use the default.';
  return {
    status: 503,
    body: { ...(key === undefined ? {} : { key }), errorCode: 'PROVIDER_NOT_READY', errorDetails },
  };
}
