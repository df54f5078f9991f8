/** What all functions serve to callers, described. The page's own three routes are no part of the API. */

import { type Description, describeApi } from '../../lib/schemas/openapi.ts';
import { gatewayRoutes } from '../gateway.ts';
import { outcomeRoutes } from '../outcomes.ts';
import { publisherRoutes } from '../publisher-routes/publish.ts';
import { routingRoutes } from '../route.ts';

export const describeWith = (control: readonly Description[]) =>
  describeApi([...control, ...routingRoutes, ...outcomeRoutes, ...publisherRoutes, ...gatewayRoutes]);
