/** What runs the client. Some runtimes at the edge of a network have no `process`, or one with an environment alone. */

/** Looked at each time: a test may put another in its place. */
export const host = (): Partial<NodeJS.Process> => globalThis.process ?? {};
