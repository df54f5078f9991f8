/**
 * PgBouncer in transaction mode in front of a server: a session of the server belongs to a client for one transaction only.
 * Sessions take turns, so that whatever is left in one of them meets another client at once. Ends with its parent.
 */

import { chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { startGuarded } from '../../infra/local/guarded.ts';
import { freePort } from '../../infra/local/postgres.ts';
import { prepareDirectory, unprivilegedAccount } from '../../infra/local/postgres-directory.ts';

const PLACES = ['/usr/sbin/pgbouncer', '/usr/bin/pgbouncer', '/usr/local/bin/pgbouncer'];
const READY_WITHIN_MS = 10_000;

export type PgBouncer = {
  /** The same address by way of PgBouncer. */
  through(url: string): string;
  stop(): Promise<void>;
};

export function pgBouncerProgram(): string | null {
  return PLACES.find((path) => existsSync(path)) ?? null;
}

/**
 * @param server of which host and port count
 * @param accounts passwords by role
 */
export async function startPgBouncer(
  server: string,
  directory: string,
  accounts: Readonly<Record<string, string>>,
): Promise<PgBouncer> {
  const program = pgBouncerProgram();
  if (program === null) throw new Error('PgBouncer is not installed: sudo apt-get install pgbouncer');
  const { hostname, port: serverPort } = new URL(server);
  const account = unprivilegedAccount();
  mkdirSync(directory, { recursive: true });
  prepareDirectory(directory, account);
  const port = await freePort();
  const users = join(directory, 'users.txt');
  const file = join(directory, 'pgbouncer.ini');
  writeFileSync(
    users,
    Object.entries(accounts)
      .map(([name, password]) => `"${name}" "${password}"\n`)
      .join(''),
  );
  writeFileSync(
    file,
    `[databases]
* = host=${hostname} port=${serverPort}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = ${users}
pool_mode = transaction
default_pool_size = 6
max_client_conn = 200
server_round_robin = 1
log_connections = 0
log_disconnections = 0
`,
  );
  if (account) for (const path of [users, file]) chownSync(path, account.uid, account.gid);
  // It refuses to run as root, and changes to another user by itself.
  const running = startGuarded(program, [...(account ? ['-u', 'postgres'] : []), file]);
  const deadline = Date.now() + READY_WITHIN_MS;
  while (!(await accepts(port))) {
    if (running.ended() || Date.now() > deadline) {
      await running.stop();
      throw new Error(`PgBouncer did not start on port ${port}. It printed:\n  ${running.output()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const through = (url: string) => {
    const address = new URL(url);
    address.port = String(port);
    return address.href;
  };
  return { through, stop: running.stop };
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
}
