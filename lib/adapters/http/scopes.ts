/** What a token may grant. */

export const OPERATOR_SCOPES = [
  'control:read',
  'control:write',
  'control:complete',
  'control:cleanup',
  'control:stop',
  'rows:read',
  'outcomes:write',
  'copies:write',
  'route:read',
  'gateway:call',
] as const;
export type Scope = (typeof OPERATOR_SCOPES)[number];
