/**
 * What is generated for one small cutover, as SQL that a person can read and a reviewer sees change: the files in
 * test/fixtures/sql. After a change on purpose: npx vitest run --project unit golden-sql -u
 */

import { describe, expect, it } from 'vitest';
import type { InlineMode } from '../../../lib/core/table/sql/inline.ts';
import type { Flow } from '../../../lib/core/table/sql/names.ts';
import { followingObjects, leadingObjects } from '../../../lib/core/table/sql/remote/objects.ts';
import { tableObjects } from '../../../lib/core/table/sql/table.ts';
import { seatDirections } from '../../helpers/seat-example.ts';

const { forward, reverse } = seatDirections();
const text = (flow: Flow, inline: InlineMode | null = null) =>
  `${tableObjects(flow, 'strict', inline).create.join(';\n\n')};\n`;
/** With its shadow in another database: what is made there comes last. */
const remote = (flow: Flow) => `${[...leadingObjects(flow).create, ...followingObjects(flow)].join(';\n\n')};\n`;

describe('the generated SQL of one cutover', () => {
  it.each([
    ['forward', text(forward)],
    ['reverse', text(reverse)],
    ['inline', text(forward, 'catch')],
    ['remote', remote(forward)],
  ])('is what %s.sql shows', async (name, sql) => {
    await expect(sql).toMatchFileSnapshot(`../../fixtures/sql/${name}.sql`);
  });
});
