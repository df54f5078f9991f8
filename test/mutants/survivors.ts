/** Mutants that no test notices, and why that is right. A run fails when another one survives. */

export const REASONS: Readonly<Record<string, string>> = {};
