/** The two databases of a cutover whose shadow is not where its primary is, and what it declares. */

import type { Clock, Ids } from '../../../ports/machine.ts';
import type { TableCutover } from '../../../ports/tables.ts';
import type { PgConnection } from '../connection/connection.ts';
import type { Roles } from '../connection/roles.ts';
import type { RowStreams } from '../connection/row-streams.ts';

/** The database of the shadow: one role, which owns the shadow and what Crossfade has there. */
export type ShadowDatabase = { connection: PgConnection; streams: RowStreams };

export type Remote = {
  cutover: TableCutover;
  clock: Pick<Clock, 'monotonicMs'>;
  /** Names for calls that begin a batch. */
  ids: Ids;
  primary: Roles;
  /** Of the owner, where the primary is. */
  streams: RowStreams;
  shadow: ShadowDatabase;
};

/** Raised by crossfade.hold_batch. */
export const OVERTAKEN = 'CF015';

/** Errors of a row, as against those of a server: every other class says nothing about the rows. */
export const OF_A_ROW = /^(22|23|44|P0|21|54|XX)/;
