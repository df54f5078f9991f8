/**
 * The schema of the databases, from inside of their network: migrations with each release, and its end. Called by name with the credentials
 * of a deployer: `crossfade migrate --stage`, `crossfade uninstall --stage`. A refusal is an answer, so that its words reach the caller.
 */

import type { Context } from 'aws-lambda';
import { noteInvocation } from '../lib/compose/invocation.ts';
import { composeSchema, type SchemaComposition } from '../lib/compose/schema.ts';
import { isCrossfadeError } from '../lib/core/base/errors.ts';
import { migrateAll, versionsOf } from '../lib/flows/control/schemas.ts';
import { uninstall } from '../lib/flows/control/uninstall.ts';
import { type SchemaTask, schemaTask } from '../lib/schemas/schema-task.ts';

let composition: SchemaComposition | undefined;

export async function handler(event: SchemaTask, context: Context): Promise<object> {
  noteInvocation(context);
  composition ??= composeSchema();
  const ports = composition;
  try {
    const read = schemaTask.safeParse(event);
    if (!read.success) return { code: 'invalid_event', message: `Nothing is done for ${JSON.stringify(event)}.` };
    const { data } = read;
    if (data.task === 'migrate') return await migrateAll(ports);
    if (data.task === 'look') return { ...(await versionsOf(ports)), apiUrl: ports.apiUrl };
    return await uninstall(ports, data);
  } catch (error) {
    ports.log.failure('schema_task_failed', error);
    if (!isCrossfadeError(error)) throw error;
    return { code: error.code, message: error.message };
  } finally {
    ports.metrics.flush();
  }
}
