/**
 * Global set-up of the projects that need Postgres: one server for the run, on a free port, without durability, and one
 * database with schema `crossfade` installed, which the tests copy.
 */

import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import type { TestProject } from 'vitest/node';
import { installSchema } from '../../infra/local/install-schema.ts';
import { startPostgres } from '../../infra/local/postgres.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** A superuser's. */
    postgresUrl: string;
  }
}

export const TEMPLATE = 'crossfade_template';

/** Folder of `initdb` and `postgres` of another version to run all of it on, such as 14; the package's when not given. */
const BINARIES = process.env.CROSSFADE_TEST_POSTGRES_BINARIES;
export const ofBinaries: { binaries?: string } = BINARIES ? { binaries: BINARIES } : {};

/** What is off as installed, and what people switch on. */
const SETTINGS = { max_prepared_transactions: '16' };

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const directory = mkdtempSync(join(tmpdir(), 'crossfade-postgres-'));
  const server = await startPostgres({
    directory,
    durable: false,
    settings: SETTINGS,
    ...ofBinaries,
  });
  const stop = async () => {
    await server.stop();
    rmSync(directory, { recursive: true, force: true });
  };
  try {
    await makeTemplate(server.url);
  } catch (error) {
    await stop();
    throw error;
  }
  project.provide('postgresUrl', server.url);
  return stop;
}

async function makeTemplate(serverUrl: string): Promise<void> {
  const sql = postgres(serverUrl, { max: 1, fetch_types: false });
  await sql.unsafe(`CREATE DATABASE ${TEMPLATE}`);
  await sql.end();
  const url = new URL(serverUrl);
  url.pathname = `/${TEMPLATE}`;
  const migrations = join(ROOT, 'migrations');
  const released = existsSync(migrations) && readdirSync(migrations).some((name) => name.endsWith('.sql'));
  if (released) await installSchema(ROOT, url.href);
}
