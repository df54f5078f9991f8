/** What `npm start` and `npm test` demand of a machine, and when they install. */

import { describe, expect, it } from 'vitest';
import { needsServers } from '../../../infra/bootstrap.mjs';
import { readJavaVersion } from '../../../infra/java.mjs';
import { isNodeRecent, staleness, startupProblems, withAddresses } from '../../../infra/prepare.mjs';

const JAVA_17 = () => ({ ok: true, found: '17.0.15' });
const NO_JAVA = () => ({ ok: false, found: 'none' });

describe('the check before anything starts', () => {
  it('finds nothing on a machine that has all it needs', () => {
    expect(startupProblems({ servers: true, node: '20.19.0', java: JAVA_17, uid: 1000 })).toEqual([]);
  });

  it('says every problem at once, with what to do', () => {
    const [node, java, ...more] = startupProblems({ servers: true, node: '18.20.4', java: NO_JAVA, uid: 1000 });
    expect(node).toMatch(/Node 20\.19 or newer\. Found: 18\.20\.4[\s\S]*nvm install/);
    expect(java).toMatch(/Java 17 or newer[\s\S]*Found: none[\s\S]*apt-get install -y openjdk-17-jre-headless/);
    expect(more).toEqual([]);
  });

  it('asks for no Java where no server is started', () => {
    expect(startupProblems({ servers: false, node: '22.13.0', java: NO_JAVA, uid: 1000 })).toEqual([]);
  });

  it.each([
    ['20.18.3', false],
    ['20.19.0', true],
    ['22.0.0', true],
    ['9.99.0', false],
  ])('takes Node %s: %s', (version, answer) => {
    expect(isNodeRecent(version)).toBe(answer);
  });

  it.each([
    [0, 'openjdk version "17.0.15" 2025-04-15', { ok: true, found: '17.0.15' }],
    [0, 'openjdk version "21" 2023-09-19', { ok: true, found: '21' }],
    [0, 'java version "1.8.0_401"', { ok: false, found: '1.8.0_401' }],
    [0, 'openjdk version "11.0.2"', { ok: false, found: '11.0.2' }],
    [1, 'The operation couldn’t be completed. Unable to locate a Java Runtime.', { ok: false }],
    [0, 'something else', { ok: false }],
  ])('reads `java -version` with status %i and %s', (status, text, answer) => {
    expect(readJavaVersion(status, text)).toMatchObject(answer);
  });
});

describe('the projects of a test run', () => {
  it.each([
    [[], true],
    [['test/unit/x.test.ts'], true],
    [['--project', 'unit'], false],
    [['--project=unit', '--project', 'appconfig'], false],
    [['--project', 'unit', '--project', 'e2e'], true],
  ])('%j need servers: %s', (args, answer) => {
    expect(needsServers(args)).toBe(answer);
  });
});

describe('installed packages', () => {
  const wanted = {
    packages: {
      '': {},
      'node_modules/a': { version: '1.0.0' },
      'node_modules/@b/mac': { version: '2.0.0', optional: true },
    },
  };

  it('are fresh when each has the version of the lockfile, without those of other systems', () => {
    expect(staleness(wanted, { packages: { 'node_modules/a': { version: '1.0.0' } } })).toBeNull();
  });

  it.each([
    ['nothing is there', null, 'node_modules is missing or incomplete'],
    ['a package is missing', { packages: {} }, 'a is missing'],
    ['a version differs', { packages: { 'node_modules/a': { version: '1.0.1' } } }, 'a is 1.0.1 instead of 1.0.0'],
    [
      'the version of an optional one differs',
      { packages: { 'node_modules/a': { version: '1.0.0' }, 'node_modules/@b/mac': { version: '1.9.0' } } },
      '@b/mac is 1.9.0 instead of 2.0.0',
    ],
  ])('are stale when %s', (_, installed, why) => {
    expect(staleness(wanted, installed)).toBe(why);
  });
});

describe('the addresses of packages', () => {
  const settings = { registry: 'https://registry.example/', '@own:registry': 'https://own.example/npm' };
  const addressOf = (path: string, entry: object) =>
    withAddresses({ packages: { [path]: { version: '1.2.3', integrity: 'sha512-x', ...entry } } }, settings).packages[
      path
    ];

  it.each([
    ['node_modules/a', {}, 'https://registry.example/a/-/a-1.2.3.tgz'],
    ['node_modules/a/node_modules/@scope/b', {}, 'https://registry.example/@scope/b/-/b-1.2.3.tgz'],
    ['node_modules/@own/c', {}, 'https://own.example/npm/@own/c/-/c-1.2.3.tgz'],
    ['node_modules/other', { name: 'real' }, 'https://registry.example/real/-/real-1.2.3.tgz'],
  ])('of %s with %j is %s', (path, entry, address) => {
    expect(addressOf(path, entry)?.resolved).toBe(address);
  });

  it('are given to nothing without a hash, and change nothing else', () => {
    expect(addressOf('', { integrity: undefined })).toEqual({ version: '1.2.3', integrity: undefined });
    expect(addressOf('node_modules/a', { dev: true })).toMatchObject({
      version: '1.2.3',
      integrity: 'sha512-x',
      dev: true,
    });
  });
});
