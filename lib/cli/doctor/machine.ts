/** Checks of this machine: Node.js, and Java for the local DynamoDB engine. */

import { spawnSync } from 'node:child_process';
import { type Check, fail, ok, warn } from './check.ts';

const JAVA_REMEDY =
  'Install a JRE, for example openjdk-17-jre-headless (Debian, Ubuntu) or temurin@17 (Homebrew). Only the local stack needs it.';

export function checkMachine(local: boolean): Check[] {
  const java = spawnSync('java', ['-version'], { encoding: 'utf8', timeout: 10_000 });
  return [
    judgeNode(process.versions.node),
    judgeJava(java.status === 0 ? `${java.stderr}${java.stdout}` : null, local),
  ];
}

export function judgeNode(version: string): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return ok('Node.js', version);
  return fail('Node.js', `${version}; 20.19 or newer is needed`, 'Install Node.js 22 or 20.19.');
}

/**
 * @param printed what `java -version` wrote; null when it failed: some systems have a command that only asks to install it
 * @param needed the local stack is used, so its absence matters
 */
export function judgeJava(printed: string | null, needed: boolean): Check {
  const found = printed === null ? null : /version "(\d+)(?:\.(\d+))?/.exec(printed);
  const trouble = needed ? fail : warn;
  if (!found) return trouble('Java', 'none', JAVA_REMEDY);
  // 1.8 is Java 8.
  const major = found[1] === '1' ? Number(found[2]) : Number(found[1]);
  return major >= 17 ? ok('Java', `${major}`) : trouble('Java', `${major}; 17 or newer is needed`, JAVA_REMEDY);
}
