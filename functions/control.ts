/** The control API. Its routes are tables in control-routes/, one a subject. */

import { compose } from '../lib/compose.ts';
import { alertRoutes } from './control-routes/alerts.ts';
import { commandRoutes } from './control-routes/commands.ts';
import { inspectRoutes } from './control-routes/inspect.ts';
import { lookRoutes } from './control-routes/look.ts';
import { systemRoutes } from './control-routes/system.ts';
import { tableRoutes } from './control-routes/tables.ts';
import { httpHandler } from './middleware.ts';

export const handler = httpHandler(compose, [
  ...lookRoutes,
  ...inspectRoutes,
  ...commandRoutes,
  ...tableRoutes,
  ...systemRoutes,
  ...alertRoutes,
]);
