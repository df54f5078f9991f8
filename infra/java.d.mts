export type Java = { ok: boolean; found: string };
export function checkJava(command?: string): Java;
export function readJavaVersion(status: number | null, stderr: string): Java;
export function javaProblem(found: string): string;
