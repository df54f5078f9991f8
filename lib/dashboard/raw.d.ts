/**
 * Files imported as text: `import page from './page.html?raw' with { type: 'text' }`. esbuild goes by the attribute, vitest
 * by the query, and neither needs a plug-in. Not for `.css`: vitest empties such files.
 */
declare module '*?raw' {
  const text: string;
  export default text;
}
