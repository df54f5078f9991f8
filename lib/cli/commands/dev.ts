/** `dev` and `rehearse` are a program of their own, started by the `crossfade` command; listed here for the help only. */

import { CrossfadeError } from '../../core/base/errors.ts';

const elsewhere = (words: string) => async (): Promise<never> => {
  throw new CrossfadeError(
    'invalid_input',
    `'${words.split(' ')[0]}' must be the first word: 'crossfade ${words} --database-url postgres://…'. It starts servers and is not part of this program.`,
  );
};

export const dev = elsewhere('dev');
export const rehearse = elsewhere('rehearse CUTOVER');
