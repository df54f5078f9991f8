/** The two roles that Crossfade logs in as. */

import type { PgConnection } from './connection.ts';

/** `runtime` moves rows and has no DDL; `owner` owns the tables and changes their names. */
export type Roles = { runtime: PgConnection; owner: PgConnection };
