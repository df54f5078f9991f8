/**
 * Modules of the product with a fault in their source, compiled for one test. So the product needs no switch for negative
 * controls, and a fault can be as small as one condition. The files themselves stay as they are.
 */

import { readFile } from 'node:fs/promises';
import { relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';
import { type Replacement, replaceOnce } from './replace-once.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A file, as seen from the root, what there is in one place of it, and what the mutant has there instead. */
export type Fault = readonly [file: string, ...Replacement];

/** Something that is done to every file of the product, seen from the root, after the faults. */
type Change = (file: string, text: string) => string;

const withFaults = (faults: readonly Fault[], change: Change): Plugin => ({
  name: 'faults',
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, async ({ path }) => {
      const file = relative(ROOT, path).split(sep).join('/');
      if (!file.startsWith('lib/') && !file.startsWith('functions/')) return undefined;
      const here = faults.filter(([name]) => name === file);
      const source = await readFile(path, 'utf8');
      const faulty = here.reduce((text, [, ...replacement]) => replaceOnce(text, replacement, file), source);
      return { contents: change(file, faulty), loader: 'ts' };
    });
  },
});

/**
 * @param entries files whose exports the mutant has. It brings its own copy of everything that they import
 * @example const { evaluateGates } = await sourceMutant<typeof import('../../lib/core/gates/evaluate.ts')>([JUDGE], [[JUDGE, 'a < b', 'a > b']])
 */
export async function sourceMutant<Exports>(
  entries: readonly string[],
  faults: readonly Fault[],
  change: Change = (_, text) => text,
): Promise<Exports> {
  const { outputFiles, metafile } = await build({
    stdin: {
      contents: entries.map((entry) => `export * from ${JSON.stringify(`./${entry}`)};`).join('\n'),
      resolveDir: ROOT,
    },
    bundle: true,
    write: false,
    metafile: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'silent',
    plugins: [withFaults(faults, change)],
  });
  const built = Object.keys(metafile.inputs);
  for (const [file] of faults)
    if (!built.some((input) => input.endsWith(file)))
      throw new Error(`${file} is in nothing that ${entries.join(' and ')} import: its fault would do nothing.`);
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0]!.contents).toString('base64')}`);
}
