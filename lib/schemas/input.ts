/**
 * What a part of a request may be, declared once: the description of the API is made of its schema, and the middleware
 * reads with the same one. Every function loads this file, so no validation library comes with it.
 */

import type * as z from 'zod';
import { CrossfadeError } from '../core/base/errors.ts';
import { parse } from './problems.ts';

export type Json = Readonly<Record<string, unknown>>;

/** A schema of zod, or the JSON schema of what is checked by hand. */
export type Schema = z.ZodType | Json;

export type Input<Value> = {
  schema: Schema;
  /** @throws CrossfadeError naming every problem with its path */
  read(value: unknown): Value;
};

type Options = {
  /** Names to suggest from beside those of the schema itself, when a property is unknown. */
  known?: readonly string[];
  /** Refuses what has an error code of its own, before the schema is asked. */
  first?: (value: unknown) => void;
};

/** @param what begins the message of a refusal: `The body of 'start'` */
export function input<S extends z.ZodType>(
  schema: S,
  what: string,
  { known = [], first = () => {} }: Options = {},
): Input<z.output<S>> {
  const names = [...('shape' in schema ? Object.keys(schema.shape as object) : []), ...known];
  return {
    schema,
    read(value) {
      first(value);
      return parse(schema, value, what, { known: names });
    },
  };
}

export const query = <S extends z.ZodType>(schema: S): Input<z.output<S>> => input(schema, 'The query');

/** Refuses a body without `confirm`: what was typed is compared later, with what it is about. */
export function needsConfirm(message: string): (body: unknown) => void {
  return (body) => {
    if ((body as { confirm?: unknown }).confirm === undefined) throw new CrossfadeError('confirm_required', message);
  };
}

/** Refuses more than `most` in one list of a body. */
export function atMost(list: string, most: number, message: (count: number) => string): (body: unknown) => void {
  return (body) => {
    const found = (body as Record<string, unknown>)[list];
    if (Array.isArray(found) && found.length > most) throw new CrossfadeError('too_large', message(found.length));
  };
}

export const textOf = ({ source: pattern }: RegExp): Json => ({ type: 'string', pattern });
