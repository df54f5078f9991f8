/**
 * What OFREP, the remote evaluation protocol of OpenFeature, sends: a context. Read by hand, as routing requests are, and
 * answered in the protocol's own words, since its clients read nothing else.
 */

import { keyOf, type RouteRequest } from '../core/routing/routing.ts';
import type { Input } from './input.ts';

/** The request that a context stands for, or what is wrong with it. */
export type ReadContext = { request: RouteRequest } | { errorCode: 'INVALID_CONTEXT'; errorDetails: string };

const isText = (value: unknown): value is string => typeof value === 'string' && value.length <= 1_024;

/** `{ context: { targetingKey, groups, environment, operation, … } }`; of the context anything else is somebody else's. */
export const evaluation: Input<ReadContext> = {
  schema: {
    type: 'object',
    properties: {
      context: {
        type: 'object',
        description:
          'targetingKey, and as text: groups (also as a list), environment, operation. Anything else is passed over.',
        properties: { targetingKey: { type: ['string', 'number', 'null'], maxLength: 1_024 } },
      },
    },
  },
  read(body) {
    const { context = {} } = (body ?? {}) as { context?: unknown };
    if (typeof context !== 'object' || context === null || Array.isArray(context))
      return invalid('context must be an object');
    const { targetingKey, groups, environment, operation } = context as Record<string, unknown>;
    const isKey = typeof targetingKey === 'string' ? isText(targetingKey) : keyOf(targetingKey) !== null;
    if (targetingKey !== undefined && targetingKey !== null && !isKey)
      return invalid('context.targetingKey must be a text of at most 1024 characters');
    const list = isText(groups) ? groups.split(',').map((name) => name.trim()) : Array.isArray(groups) ? groups : [];
    return {
      request: {
        key: keyOf(targetingKey),
        groups: list.filter(isText),
        ...(isText(environment) ? { environment } : {}),
        ...(isText(operation) ? { operation } : {}),
      },
    };
  },
};

const invalid = (errorDetails: string): ReadContext => ({ errorCode: 'INVALID_CONTEXT', errorDetails });
