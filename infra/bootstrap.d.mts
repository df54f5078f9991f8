export function main(words: readonly string[]): Promise<number>;
export function needsServers(args: readonly string[]): boolean;
