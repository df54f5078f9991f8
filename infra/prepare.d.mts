import type { Java } from './java.mjs';

export const ROOT: string;
export function startupProblems(needs: { servers: boolean; node?: string; java?: () => Java; uid?: number }): string[];
export function isNodeRecent(version: string): boolean;
type Lockfile = { packages: Record<string, { version?: string; optional?: boolean; devOptional?: boolean }> };
export function install(options?: { print?: (line: string) => void }): void;
export function staleness(wanted: Lockfile, installed: Lockfile | null): string | null;
type Addressed = Record<string, { name?: string; version?: string; integrity?: string; resolved?: string }>;
export function withAddresses(
  lock: { packages: Addressed },
  settings: Readonly<Record<string, unknown>>,
): { packages: Addressed };
export function seconds(sinceMs: number): string;
export function buildIfStale(options?: { strict?: boolean; print?: (line: string) => void }): Promise<void>;
