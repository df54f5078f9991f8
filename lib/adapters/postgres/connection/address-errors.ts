/** Why an address of a database is of no use. Neither message repeats the address, which holds a password. */

import { CrossfadeError } from '../../../core/base/errors.ts';

export const FORM = 'postgres://ROLE:PASSWORD@HOST:5432/DATABASE';

export function refused(why: string, remedy: string): CrossfadeError {
  return new CrossfadeError('invalid_config', `The address of the database cannot be used: ${why}. ${remedy}.`);
}

export function unreadable(): CrossfadeError {
  return new CrossfadeError(
    'invalid_config',
    `The address of the database cannot be read. It looks like ${FORM}; special characters of the password are written as %40 for @, %2F for / and the like.`,
  );
}
