/** Breaks a rule of the data plane, to show that the tests notice. Only tests pass it. */
export type Sabotage = {
  omit?:
    | 'key-lock'
    | 'fence'
    | 'quarantine'
    | 'pending-hints'
    | 'ghost-sweep'
    | 'reset'
    | 'exchange'
    | 'remix'
    | 'image'
    | 'fits'
    | 'old-key'
    | 'truncate';
  /** Seconds between reading the source and writing the target: makes races likely, in good and bad variants alike. */
  dawdle?: number;
};
