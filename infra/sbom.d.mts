export type LockedPackage = { name: string; version: string; licence: string; use: 'shipped' | 'development' };
type Lock = {
  packages: Readonly<
    Record<
      string,
      { version?: string; license?: string; dev?: boolean; devOptional?: boolean; hasInstallScript?: boolean }
    >
  >;
};
export function packagesOf(lock: Lock): LockedPackage[];
export function refusedOf(packages: readonly LockedPackage[]): LockedPackage[];
