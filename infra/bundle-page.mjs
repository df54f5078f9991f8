/**
 * The page of the dashboard as text: a program for the browser (TypeScript, preact, uPlot) in one minified script, the style sheet
 * beside it, and the licences of the packages in them. A module of the server imports it as `./browser/main.tsx?bundle`, for which
 * esbuild and Vite each need a plug-in. Both are here, over one function: what is deployed, what is tested and the picture in
 * README.md are the same page, and no file of an earlier build can be taken for it.
 */

import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const QUERY = '?bundle';
const LICENCES = 'dashboard/assets/licences.txt';

/** @param entry the first file of the script; the sheet is `style.css` in its folder */
export async function bundlePage(entry) {
  // Not at the top: infra/build.mjs is imported before the packages are installed.
  const { build } = await import('esbuild');
  const { outputFiles, metafile } = await build({
    entryPoints: [entry, join(dirname(entry), 'style.css')],
    // Names the outputs; nothing is written.
    outdir: ROOT,
    write: false,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    // They are served beside the page, in full.
    legalComments: 'none',
    absWorkingDir: ROOT,
    metafile: true,
    logLevel: 'warning',
    plugins: [plainLines],
  });
  const files = Object.keys(metafile.inputs);
  const packages = packagesOf(files);
  const output = (ending) => outputFiles.find(({ path }) => path.endsWith(ending)).text;
  const names = packages.map(({ name, version, licence }) => `${name} ${version} (${licence})`).join(', ');
  return {
    script: `/* With ${names}: ${LICENCES} */\n${output('.js')}`,
    style: output('.css'),
    licences: packages.map(({ name, version, text }) => `${name} ${version}\n\n${text.trim()}\n`).join('\n\n'),
    files: files.map((file) => join(ROOT, file)),
  };
}

/** The page draws straight lines. Of uPlot the other kinds are left out: they are called by name only, and the page names none. */
const plainLines = {
  name: 'plain-lines',
  setup({ onLoad }) {
    onLoad({ filter: /[\\/]uPlot\.esm\.js$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8');
      const contents = text.replace(/^\s*\(paths\.(stepped|bars|spline) +=.*$/gm, '');
      if (contents === text) throw new Error(`${path} names its kinds of lines in another way: see plainLines.`);
      return { contents, loader: 'js' };
    });
  },
};

/** What is installed and went in. @throws when one of them has no licence text, which must go with a copy of it */
function packagesOf(files) {
  const folders = new Set(files.flatMap((file) => /^node_modules\/(?:@[^/]+\/)?[^/]+\//.exec(file)?.[0] ?? []));
  return [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(ROOT, folder, 'package.json'), 'utf8'));
    const file = readdirSync(join(ROOT, folder)).find((file) => /^licen[cs]e(\.\w+)?$/i.test(file));
    if (!file) throw new Error(`${name} ${version} is part of the page, and its package has no licence text.`);
    return { name, version, licence: license, text: readFileSync(join(ROOT, folder, file), 'utf8') };
  });
}

/** The module that `import … from 'FILE?bundle'` sees, and what it is made of. */
async function pageModule(entry) {
  const { files, ...texts } = await bundlePage(entry);
  const lines = Object.entries(texts).map(([name, text]) => `export const ${name} = ${JSON.stringify(text)};`);
  return { code: lines.join('\n'), files };
}

export const esbuildPage = {
  name: 'page',
  setup({ onLoad }) {
    onLoad({ filter: /\.tsx$/ }, async ({ path, suffix }) => {
      if (suffix !== QUERY) return undefined;
      const { code, files } = await pageModule(path);
      return { contents: code, loader: 'js', watchFiles: files };
    });
  },
};

export const vitePage = {
  name: 'page',
  enforce: 'pre',
  async load(id) {
    if (!id.endsWith(QUERY)) return null;
    const { code, files } = await pageModule(id.slice(0, -QUERY.length));
    for (const file of files) this.addWatchFile(file);
    return code;
  },
};
