/**
 * The runtime interface client of AWS for Node, `aws-lambda-ric`, as npm has it. It is fetched once into the checkout's cache and never
 * installed: each installation would compile its native part with curl (`lambda-runtime-native.mjs` stands for that part).
 */

import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';

const VERSION = '4.0.2';
/** SHA-512 of its package. */
const INTEGRITY = 'FE5Vskx7mYNnqAnWWJXUOsLp2VGgdsJsCoRLFTa8L4Yk0QVtArqR8q58yPA++QC1a73ZWJXBQ2AH31nIAv7NOQ==';

/** Below node_modules, where it finds what it imports. */
const CACHE = resolve(import.meta.dirname, '../../node_modules/.cache');
const PLACE = join(CACHE, `lambda-runtime-client-${VERSION}`);

/** @returns path of its program @throws Error when npm does not have it, or has another one under this version */
export function lambdaRuntimeClient(): string {
  const program = join(PLACE, 'package/index.mjs');
  if (existsSync(program)) return program;
  mkdirSync(CACHE, { recursive: true });
  const folder = mkdtempSync(join(CACHE, 'fetched-'));
  execFileSync('npm', ['pack', `aws-lambda-ric@${VERSION}`, '--silent', '--pack-destination', folder]);
  const archive = join(folder, readdirSync(folder)[0]!);
  const seen = createHash('sha512').update(readFileSync(archive)).digest('base64');
  if (seen !== INTEGRITY) throw new Error(`aws-lambda-ric ${VERSION} is not the one that is expected: ${seen}.`);
  execFileSync('tar', ['-xzf', archive, '-C', folder, 'package/index.mjs']);
  rmSync(archive);
  try {
    renameSync(folder, PLACE);
  } catch (error) {
    // Another test was faster.
    if (!existsSync(program)) throw error;
    rmSync(folder, { recursive: true });
  }
  return program;
}
