/** Entity tags of answers (RFC 9110, 13.1.2). */

/**
 * True when the caller has this answer: its tag is one of the list. Weak tags count, since a proxy that compresses an answer
 * makes its tag a weak one.
 */
export const isKnown = (etag: string, ifNoneMatch = ''): boolean =>
  ifNoneMatch.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag);
