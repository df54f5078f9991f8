/** The control API. Its routes are tables in control-routes/, one a subject. */

import { composeInside } from '../lib/compose/inside.ts';
import { alertRoutes } from './control-routes/alerts.ts';
import { commandRoutes } from './control-routes/commands.ts';
import { described } from './control-routes/description.ts';
import { experimentRoutes } from './control-routes/experiments.ts';
import { forwardRoutes } from './control-routes/forwards.ts';
import { inspectRoutes } from './control-routes/inspect.ts';
import { lookRoutes } from './control-routes/look.ts';
import { phaseRoutes } from './control-routes/phases.ts';
import { readOnlyRoutes } from './control-routes/read-only.ts';
import { reportRoutes } from './control-routes/reports.ts';
import { rollbackRoutes } from './control-routes/rollbacks.ts';
import { rowRoutes } from './control-routes/rows.ts';
import { shadowRoutes } from './control-routes/shadow.ts';
import { systemRoutes } from './control-routes/system.ts';
import { tableRoutes } from './control-routes/tables.ts';
import { withOldPaths } from './http/route.ts';
import { httpHandler } from './middleware.ts';

const routes = withOldPaths([
  ...lookRoutes,
  ...inspectRoutes,
  ...commandRoutes,
  ...tableRoutes,
  ...rowRoutes,
  ...readOnlyRoutes,
  ...shadowRoutes,
  ...forwardRoutes,
  ...systemRoutes,
  ...alertRoutes,
  ...phaseRoutes,
  ...rollbackRoutes,
  ...experimentRoutes,
  ...reportRoutes,
]);

export const controlRoutes = described(routes);

export const handler = httpHandler(composeInside, controlRoutes);
