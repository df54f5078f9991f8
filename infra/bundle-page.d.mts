import type { Plugin } from 'esbuild';

export function bundlePage(
  entry: string,
): Promise<{ script: string; style: string; licences: string; files: string[] }>;
export const esbuildPage: Plugin;
export const vitePage: {
  name: string;
  enforce: 'pre';
  load(this: { addWatchFile(file: string): void }, id: string): Promise<string | null>;
};
