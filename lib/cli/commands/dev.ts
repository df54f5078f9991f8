/** `dev` is a program of its own, started by the `crossfade` command; listed here for the help only. */

import { CrossfadeError } from '../../core/base/errors.ts';

export async function dev(): Promise<never> {
  throw new CrossfadeError(
    'invalid_input',
    "'dev' must be the first word: 'crossfade dev --database-url postgres://…'. It starts servers and is not part of this program.",
  );
}
