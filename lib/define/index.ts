/** What a configuration imports: `crossfade-cutover/define`. */

export type { CutoverDeclaration } from '../core/cutover/cutover.ts';
export { type CutoverInput, defineCutovers, type FreezeInput, type SharedInput } from './cutovers.ts';
export { definePhases, type PhaseInput } from './phases.ts';
