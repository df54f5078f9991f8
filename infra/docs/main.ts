/** `npm run docs`: writes every page whose generated parts are stale; with `--check` only says which. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RENEW, readPages, renewed } from './pages.ts';

const root = process.cwd();
const stale = readPages(root).flatMap((page) => {
  const { text } = renewed(root, page);
  return text === page.text ? [] : [{ file: page.file, text }];
});

if (process.argv.includes('--check')) {
  for (const { file } of stale) console.log(`${file} is stale; ${RENEW} renews it.`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  for (const { file, text } of stale) {
    writeFileSync(join(root, file), text);
    console.log(`Renewed ${file}`);
  }
  if (stale.length === 0) console.log('Every page is up to date.');
}
