/** How a cutover is, in one word: every surface has its own text for each. Types only. */

/** `blind`: nothing was seen of it in the last minutes, so it is not known to be well. */
export type Health =
  | 'idle'
  | 'healthy'
  | 'held'
  | 'blind'
  | 'rolling_back'
  | 'rolled_back'
  | 'ready'
  | 'done'
  | 'invalid';
