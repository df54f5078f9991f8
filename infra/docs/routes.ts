/** Routes of the HTTP API, from the OpenAPI description that the API itself serves. */

import { controlRoutes } from '../../functions/control.ts';
import { describeWith } from '../../functions/control-routes/whole-api.ts';
import { code, table } from './markdown.ts';

type Operation = { summary: string; deprecated?: true; security: readonly { token?: readonly string[] }[] };

export function routeTable(): string {
  const { paths } = describeWith(controlRoutes);
  const rows = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).flatMap(([method, described]) => {
      const { summary, security, deprecated } = described as unknown as Operation;
      const scope = security[0]?.token?.[0];
      const row = [code(`${method.toUpperCase()} ${path}`), summary, scope === undefined ? 'none' : code(scope)];
      return deprecated ? [] : [row];
    }),
  );
  return table(['route', 'what it does', 'scope'], rows);
}
