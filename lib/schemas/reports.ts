/** Queries of reports and exports. */

import * as z from 'zod';
import { parse } from './problems.ts';

const MAX_HOURS = 24 * 400;
const hours = z
  .string()
  .regex(/^\d{1,5}$/, 'it is a whole number of hours')
  .transform(Number)
  .pipe(z.number().min(1).max(MAX_HOURS));

export type Query = Readonly<Record<string, string>>;

export const hoursQuery = z.strictObject({ hours: hours.optional() });

/** `undefined` without `hours`. @throws CrossfadeError `invalid_input`, `unknown_property` */
export function parseHours(query: Query): number | undefined {
  return parse(hoursQuery as unknown as z.ZodType<{ hours?: number }>, query, 'The query', { known: ['hours'] }).hours;
}

/** A minute of a replay is half a kilobyte, and an answer at most 6 MB. */
const MAX_REPLAY_HOURS = 72;
export const replayQuery = z.strictObject({ hours: hours.pipe(z.number().max(MAX_REPLAY_HOURS)).default(24) });

/** 24 without `hours`. @throws CrossfadeError `invalid_input`, `unknown_property` */
export function parseReplayHours(query: Query): number {
  return parse(replayQuery as unknown as z.ZodType<{ hours: number }>, query, 'The query', { known: ['hours'] }).hours;
}

export type ExportQuery = {
  what: 'audit' | 'metrics';
  format: 'json' | 'csv';
  hours: number;
  limit: number;
  cursor?: string;
};

export const exportQuery = z.strictObject({
  what: z.enum(['audit', 'metrics']),
  format: z.enum(['json', 'csv']).default('json'),
  hours: hours.default(24),
  limit: z
    .string()
    .regex(/^\d{1,3}$/)
    .transform(Number)
    .pipe(z.number().min(1).max(200))
    .default(200),
  cursor: z.string().min(1).max(1_000).optional(),
});

/** @throws CrossfadeError `invalid_input`, `unknown_property` */
export function parseExport(query: Query): ExportQuery {
  return parse(exportQuery as unknown as z.ZodType<ExportQuery>, query, 'The query', {
    known: Object.keys(exportQuery.shape),
  });
}

export const checkpointsQuery = z.strictObject({ format: z.enum(['json', 'text']).default('json') });

/** @throws CrossfadeError `invalid_input`, `unknown_property` */
export function parseCheckpoints(query: Query): { format: 'json' | 'text' } {
  return parse(checkpointsQuery as unknown as z.ZodType<{ format: 'json' | 'text' }>, query, 'The query', {
    known: ['format'],
  });
}
