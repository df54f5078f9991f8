/**
 * Whether a Java is there that the local DynamoDB engine runs on, and what to tell a person when there is none. Plain
 * JavaScript without dependencies, since a bare clone asks before it has any.
 */

import { spawnSync } from 'node:child_process';

const NEEDED_JAVA = 17;

/** `found` is for people: `17.0.15`, `none`, `one that does not run (exit status 1)`. */
export function checkJava(command = 'java') {
  const run = spawnSync(command, ['-version'], { encoding: 'utf8', timeout: 20_000 });
  if (run.error?.code === 'ENOENT') return { ok: false, found: 'none' };
  return readJavaVersion(run.status, run.stderr ?? '');
}

/** Judges what `java -version` did: it prints to stderr, `1.8` means 8, and macOS has a stub that exists and fails. */
export function readJavaVersion(status, stderr) {
  if (status !== 0)
    return { ok: false, found: `one that does not run (exit status ${status ?? 'none, it was killed'})` };
  const [, version, first, second] = /version "((\d+)(?:\.(\d+))?[^"]*)"/.exec(stderr) ?? [];
  if (version === undefined) return { ok: false, found: 'one that does not say its version' };
  return { ok: Number(first === '1' ? second : first) >= NEEDED_JAVA, found: version };
}

export function javaProblem(found) {
  return `Crossfade needs Java ${NEEDED_JAVA} or newer for the local DynamoDB engine. Found: ${found}.
  Debian, Ubuntu   sudo apt-get install -y openjdk-17-jre-headless      (Debian 13: openjdk-21-jre-headless)
  Fedora, RHEL     sudo dnf install -y java-21-openjdk-headless
  Amazon Linux     sudo dnf install -y java-17-amazon-corretto-headless
  Arch             sudo pacman -S jre17-openjdk-headless
  macOS            brew install --cask temurin@17
  Windows          winget install EclipseAdoptium.Temurin.17.JRE`;
}
