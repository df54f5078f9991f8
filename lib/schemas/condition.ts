/** Conditions in answers of the API. */

import * as z from 'zod';
import { UNITS } from '../core/conditions/figures.ts';
import type { ShownCondition } from '../core/conditions/show.ts';
import { CONDITION_CODES } from '../core/conditions/table.ts';
import { figure, release } from './release.ts';

export const shownCondition = z.object({
  code: z.string().describe('What people call it: for alert rules, phases and checks with their name.'),
  row: z.enum(CONDITION_CODES).describe('Its row in the table of conditions.'),
  label: z.string(),
  ok: z.boolean(),
  seen: figure.describe('What was seen; null where there is no figure.'),
  limit: figure.describe('Where the limit lies; null where there is none.'),
  unit: z.enum(UNITS).describe('Of seen and limit. A rate is 0–1.'),
  want: z.enum(['at_most', 'below', 'at_least', 'is', 'inside']),
  fired: z.boolean().describe('A guard that fired, and not something that is missing.'),
  release: z.array(release).describe('What would release it: one of these is enough.'),
  sinceMs: z.number().optional().describe('Since when every look in this stage found it so, held or not.'),
  says: z.string().describe('What was seen, in sentences.'),
  text: z.string().describe('What was seen and what would release it, in sentences.'),
  value: figure.meta({ deprecated: true, description: 'The same as seen.' }),
}) satisfies z.ZodType<ShownCondition>;
