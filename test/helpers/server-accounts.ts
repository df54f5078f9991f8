/** What tests on two servers know of them: their addresses, and the roles of a managed database that each has. */

export type ServerName = 'embedded' | 'debian';
/** Addresses of one server; `pooled` goes through PgBouncer. */
export type ServerAddress = { superuser: string; pooled: string };

declare module 'vitest' {
  interface ProvidedContext {
    /** Null when they cannot be started here. */
    servers: Record<ServerName, ServerAddress> | null;
    /** True where `ownDatabase` belongs to the owner role, and the data plane goes through PgBouncer. */
    ownersOnly: boolean;
  }
}

/** Names and passwords. */
export const ACCOUNTS = { app_owner: 'owner', crossfade_runtime: 'runtime', application: 'application' } as const;
