/**
 * Files imported as text: `import page from './page.html?raw' with { type: 'text' }`. esbuild goes by the attribute, vitest
 * by the query, and neither needs a plug-in. Not for `.css`: vitest empties such files.
 */
declare module '*?raw' {
  const text: string;
  export default text;
}

/** A program for the browser, made of this file and what it imports by infra/bundle-page.mjs. */
declare module '*?bundle' {
  export const script: string;
  export const style: string;
  /** Of the packages in it, in full. */
  export const licences: string;
}
