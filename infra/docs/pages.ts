/** All pages of the repository, and what is generated in them. The texts come from the tables and schemas that serve. */

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { alarmTable, metricTable } from './alarms.ts';
import { alertMetricTable, alertRuleTable } from './alerts.ts';
import { commandPages, commandTable } from './commands.ts';
import { conditionTable } from './conditions.ts';
import { configurationTable } from './configuration.ts';
import { errorTable } from './errors.ts';
import { exceptionTable } from './grants.ts';
import { filled } from './markdown.ts';
import { migrationTable, sqlObjectTable } from './migrations.ts';
import { keptNameTable, oldNameTable } from './old-names.ts';
import { parameterTable } from './parameters.ts';
import { routeTable } from './routes.ts';

/** The command that renews a stale page. */
export const RENEW = 'npm run docs';

const FOLDERS = ['functions', 'infra', 'lib', 'migrations', 'test'];

const TEXTS = {
  alarms: alarmTable,
  'alert-metrics': alertMetricTable,
  'alert-rules': alertRuleTable,
  commands: commandTable,
  'command-pages': commandPages,
  conditions: conditionTable,
  configuration: configurationTable,
  errors: errorTable,
  exceptions: exceptionTable,
  'kept-names': keptNameTable,
  metrics: metricTable,
  migrations: migrationTable,
  'old-names': oldNameTable,
  parameters: parameterTable,
  routes: routeTable,
  'sql-objects': sqlObjectTable,
} satisfies Readonly<Record<string, (root: string) => string>>;

export const TEXT_NAMES: readonly string[] = Object.keys(TEXTS);

export type Page = { file: string; text: string };

/** Every page, by its path with forward slashes; licences and fixtures are none. */
export function readPages(root: string): Page[] {
  const inside = FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  ).map((file) => file.replaceAll('\\', '/'));
  const files = ['README.md', ...inside.filter((file) => file.endsWith('.md') && !/LICENSE|fixtures\//.test(file))];
  return files.sort().map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }));
}

/** The page as it should be. */
export function renewed(root: string, page: Page): Page {
  const texts = Object.fromEntries(Object.entries(TEXTS).map(([name, text]) => [name, () => text(root)]));
  return { ...page, text: filled(page.text, texts) };
}
