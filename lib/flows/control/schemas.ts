/** The schemas of a deployment, one after the other: the primaries' database first. What fails there leaves the others as they are. */

import type { SchemaOwner, Schemas } from '../../ports/schema.ts';

type Each<Result> = Result & { connections: readonly (Result & { connection: string })[] };
type Result<Task extends keyof SchemaOwner> = Awaited<ReturnType<SchemaOwner[Task]>>;

/** @throws CrossfadeError as `SchemaOwner.migrate` does; those before it are migrated then, and it may be repeated */
export const migrateAll = (schemas: Schemas<'migrate'>): Promise<Each<Result<'migrate'>>> =>
  each(schemas, (one) => one.migrate());

/** @throws CrossfadeError `database_unavailable` */
export const versionsOf = (schemas: Schemas<'version'>): Promise<Each<Result<'version'>>> =>
  each(schemas, (one) => one.version());

/** @throws CrossfadeError `database_unavailable`; those before it are dropped then, and it may be repeated */
export async function dropAll(schemas: Schemas<'drop'>): Promise<Result<'drop'>> {
  const { tables, connections } = await each(schemas, (one) => one.drop());
  return { tables: [...new Set([...tables, ...connections.flatMap((one) => one.tables)])] };
}

async function each<Part extends keyof SchemaOwner, Done extends object>(
  { schema, connections }: Schemas<Part>,
  work: (one: Pick<SchemaOwner, Part>) => Promise<Done>,
): Promise<Each<Done>> {
  const first = await work(schema);
  const others: (Done & { connection: string })[] = [];
  for (const [connection, one] of Object.entries(connections)) others.push({ connection, ...(await work(one)) });
  return { ...first, connections: others };
}
