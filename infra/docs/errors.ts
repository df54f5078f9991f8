/** Error codes with their HTTP status and exit code. */

import { ERROR_CODES, type ErrorCode } from '../../lib/core/base/errors.ts';
import { code, table } from './markdown.ts';
import { ERROR_MEANINGS } from './meanings.ts';

export function errorTable(): string {
  const codes = Object.keys(ERROR_CODES) as ErrorCode[];
  return table(
    ['code', 'meaning', 'HTTP', 'exit'],
    codes.map((one) => [
      code(one),
      ERROR_MEANINGS[one],
      String(ERROR_CODES[one].status),
      String(ERROR_CODES[one].exit),
    ]),
  );
}
