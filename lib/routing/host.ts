/** What runs the client. Some runtimes at the edge of a network have no `process`, or one with an environment alone. */

/** Asked for anew each time, since a test may put another in its place. */
export const host = (): Partial<NodeJS.Process> => globalThis.process ?? {};
