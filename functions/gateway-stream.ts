/** The gateway behind a Function URL: answers that are long or come bit by bit, such as events that a server sends. */

import { composeApi } from '../lib/compose/api.ts';
import { gatewayRoutes } from './gateway.ts';
import { streamedHandler } from './middleware.ts';

export const handler = streamedHandler(composeApi, gatewayRoutes);
