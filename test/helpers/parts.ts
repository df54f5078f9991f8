/** Windows of senders that tell no slice, as the gates take them. */

import type { MinuteWindow, WindowPart } from '../../lib/core/gates/minute-window.ts';
import type { GateInput } from '../../lib/core/gates/seen.ts';

export const partsOf = (windows: readonly MinuteWindow[]): WindowPart[] =>
  windows.map((window) => ({ slice: null, operation: '', window }));

/** What the gates take, with whole windows in place of parts. */
export type WholeInput = Omit<GateInput, 'parts'> & { windows: readonly MinuteWindow[] };

export const gateInput = ({ windows, ...input }: WholeInput): GateInput => ({ ...input, parts: partsOf(windows) });
