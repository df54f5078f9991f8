/** The status of many tables in a few statements, and what they share of the server. */

import type { TableStatus } from '../../../core/gates/table-status.ts';
import type { PgConnection } from '../connection/connection.ts';
import { foundById } from './by-id.ts';

/** Of the whole server, and without those that are kept for superusers: what runs out runs out for everybody. */
const CONNECTIONS = `pg_catalog.jsonb_build_object('connections', pg_catalog.jsonb_build_object(
  'used', (SELECT pg_catalog.sum(d.numbackends) FROM pg_catalog.pg_stat_database d),
  'most', pg_catalog.current_setting('max_connections')::int - pg_catalog.current_setting('superuser_reserved_connections')::int))`;

const STATUSES = `SELECT s.id, s.status || ${CONNECTIONS} AS found
  FROM crossfade.statuses(ARRAY(SELECT pg_catalog.jsonb_array_elements_text($1::text::jsonb))) s`;

/** Some milliseconds each on a busy server: far from the deadline of a call. */
const MOST = 50;

export const tableStatuses = (runtime: PgConnection, ids: readonly string[]) =>
  foundById<TableStatus>(runtime, STATUSES, ids, MOST);
