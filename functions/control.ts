/** The control API. Its routes are tables in control-routes/, one a subject. */

import { composeApi } from '../lib/compose/api.ts';
import { alertRoutes } from './control-routes/alerts.ts';
import { commandRoutes } from './control-routes/commands.ts';
import { copyRoutes } from './control-routes/copies.ts';
import { described } from './control-routes/description.ts';
import { experimentRoutes } from './control-routes/experiments.ts';
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
import { httpHandler } from './middleware.ts';

export const controlRoutes = described([
  ...lookRoutes,
  ...inspectRoutes,
  ...commandRoutes,
  ...tableRoutes,
  ...rowRoutes,
  ...readOnlyRoutes,
  ...shadowRoutes,
  ...copyRoutes,
  ...systemRoutes,
  ...alertRoutes,
  ...phaseRoutes,
  ...rollbackRoutes,
  ...experimentRoutes,
  ...reportRoutes,
]);

export const handler = httpHandler(composeApi, controlRoutes);
