/** Preloaded into a process: its wall clock is ahead by what the file says, in ms. Its monotonic clock is left as it is. */

import { readFileSync } from 'node:fs';

const file = process.env.TEST_MOVED_CLOCK;
const Real = Date;
const now = () => Real.now() + Number(readFileSync(file, 'utf8'));

globalThis.Date = class extends Real {
  constructor(...parts) {
    super(...(parts.length > 0 ? parts : [now()]));
  }
  static now = now;
};
