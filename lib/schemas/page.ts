/** The query of the figures of the page. */

import * as z from 'zod';
import { query } from './input.ts';

export const pageQuery = query(
  z.strictObject({ cutover: z.string().optional().describe('Everything of this cutover, and nothing of the others.') }),
);
