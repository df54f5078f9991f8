/** Types of packages.mjs. */

export const PACKAGES: readonly { name: string; entries: Readonly<Record<string, string>> }[];
