/** The gateway behind a Function URL: answers that are long or come bit by bit, such as events that a server sends. */

import { composeGateway, gatewayRoutes } from './gateway.ts';
import { streamedHandler } from './middleware.ts';

export const handler = streamedHandler(composeGateway, gatewayRoutes);
