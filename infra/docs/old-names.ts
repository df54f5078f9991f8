/** Old names that still work, and those that stay. */

import {
  KEPT_NAMES,
  OLD_COMMANDS,
  OLD_FIELDS,
  OLD_HEADERS,
  OLD_PATHS,
  OLD_SDK_NAMES,
} from '../../lib/core/base/old-names.ts';
import { code, table } from './markdown.ts';

const rowsOf = (kind: string, names: Readonly<Record<string, string>>): string[][] =>
  Object.entries(names).map(([name, old]) => [code(old), kind, code(name)]);

export const oldNameTable = (): string =>
  table(
    ['old name', 'of', 'now'],
    [
      ...rowsOf('a command', OLD_COMMANDS),
      ...rowsOf('a path', OLD_PATHS),
      ...rowsOf('a field', OLD_FIELDS),
      ...rowsOf('a header of the gateway', OLD_HEADERS),
      ...rowsOf('the SDK', OLD_SDK_NAMES),
    ],
  );

export const keptNameTable = (): string =>
  table(
    ['name', 'stays, as it is'],
    Object.entries(KEPT_NAMES).map(([name, why]) => [code(name), why]),
  );
