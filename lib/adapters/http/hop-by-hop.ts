/** Headers that concern one connection only (RFC 9110, 7.6.1, and what proxies make of them): no proxy passes them on. */
export const HOP_BY_HOP = [
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
] as const;
