/** The invocation that this instance is in: Lambda gives it one at a time. Handlers note it, and the log adds it to each line. */

import type { Invocation } from '../adapters/powertools/log.ts';

let current: Invocation | null = null;

export function noteInvocation(context: Invocation['context']): void {
  current = { context, cold: current === null };
}

export const invocation = (): Invocation | null => current;
