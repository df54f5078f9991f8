/**
 * `npm run sbom`: what this consists of, from the lock file. Writes dist/sbom/bom.cdx.json (CycloneDX, made by npm) and dist/sbom/licences.md.
 * Ends with 1 when a package that is shipped has a licence that is not on the list.
 */

import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ROOT } from './prepare.mjs';

/** Licences under which a package may be shipped with this one: none asks for anything but its own text. */
const ACCEPTED = [
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
  'MIT-0',
  'Unlicense',
];

/**
 * Every package of a lock file once: {name, version, licence, use}, sorted. `use` is `shipped` for what an installation without
 * development dependencies has.
 */
export function packagesOf(lock) {
  const found = new Map();
  for (const [path, { version, license, dev, devOptional }] of Object.entries(lock.packages)) {
    if (path === '') continue;
    const name = path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const use = dev || devOptional ? 'development' : 'shipped';
    const known = found.get(`${name}@${version}`);
    if (known?.use !== 'shipped')
      found.set(`${name}@${version}`, { name, version, licence: license ?? 'unknown', use });
  }
  return [...found.values()].sort((a, b) => (`${a.name}@${a.version}` < `${b.name}@${b.version}` ? -1 : 1));
}

/** Shipped packages whose licence was not accepted. */
export const refusedOf = (packages) =>
  packages.filter(({ use, licence }) => use === 'shipped' && !ACCEPTED.includes(licence));

function billOfMaterials() {
  const made = spawnSync('npm', ['sbom', '--sbom-format', 'cyclonedx', '--package-lock-only'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    shell: process.platform === 'win32',
  });
  if (made.status !== 0) throw new Error(`npm sbom failed: ${made.stderr || made.error?.message}`);
  return JSON.parse(made.stdout);
}

function main() {
  const packages = packagesOf(JSON.parse(readFileSync(join(ROOT, 'package-lock.json'), 'utf8')));
  const bill = billOfMaterials();
  const directory = join(ROOT, 'dist', 'sbom');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'bom.cdx.json'), `${JSON.stringify(bill, null, 2)}\n`);
  const rows = packages.map(({ name, version, licence, use }) => `| ${name} | ${version} | ${licence} | ${use} |`);
  const head = ['# Licences', '', '| package | version | licence | use |', '| --- | --- | --- | --- |'];
  writeFileSync(join(directory, 'licences.md'), `${[...head, ...rows].join('\n')}\n`);
  const shipped = packages.filter(({ use }) => use === 'shipped').length;
  console.log(
    `dist/sbom: ${bill.components.length} components, ${packages.length} packages with their licences, ${shipped} of them shipped`,
  );
  const refused = refusedOf(packages);
  for (const { name, version, licence } of refused)
    console.error(
      `${name} ${version} is shipped under '${licence}', which is not accepted. See ACCEPTED in infra/sbom.mjs.`,
    );
  return refused.length === 0 ? 0 : 1;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) process.exitCode = main();
