/** Which failures say that a connection was refused or lost: as Node's sockets, fetch, and clients of Postgres say it. */

const LOST = /^(ECONNRE|EPIPE|UND_ERR_SOCKET|CONNECTION_[CDE]|08... |57P0[123] )|socket hang up|Connection terminated/;
/** A failure is often wrapped in another: fetch and the gateway name what the socket said as its cause. */
const DEPTH = 4;

/** @example isConnectionDrop(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' })) // true */
export function isConnectionDrop(error: unknown, depth = DEPTH): boolean {
  try {
    const { code, message, cause } = error as { code?: unknown; message?: unknown; cause?: unknown };
    return LOST.test(`${code} ${message}`) || (depth > 1 && isConnectionDrop(cause, depth - 1));
  } catch {
    // Nothing was thrown, or an object that cannot even be read.
    return false;
  }
}
