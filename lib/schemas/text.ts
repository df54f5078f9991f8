/** Text that callers send. */

import * as z from 'zod';

/** Without NUL and lone surrogates: both would be changed or refused further down. */
export const isStorable = [
  (value: string) => value.isWellFormed() && !value.includes('\0'),
  'it holds NUL or half a surrogate pair',
] as const;

export const text = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .refine(...isStorable);

/** Why a person does something. */
export const reason = text(1_000);
