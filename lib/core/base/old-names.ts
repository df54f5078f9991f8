/**
 * Names that were replaced, and go on working for one release: commands and paths are served under both, answers have a
 * field under both, a body may have either. Shipped code says an old name here and nowhere else, but for the SDK, which
 * must stay small; so one edit takes them out. Names that stay for good come last, each with what holds on to it.
 */

/** Command → the name it had. SQL of the health check says `crossfade plan`: its migration goes with that name. */
export const OLD_COMMANDS: Readonly<Record<string, string>> = { forwards: 'copies', preview: 'plan' };

/** Path → the one it had. */
export const OLD_PATHS: Readonly<Record<string, string>> = {
  '/v1/cutovers/{cutover}/forwards': '/v1/cutovers/{cutover}/copies',
  '/v1/cutovers/{cutover}/forwards/retry': '/v1/cutovers/{cutover}/copies/retry',
  '/v1/cutovers/{cutover}/forwards/discard': '/v1/cutovers/{cutover}/copies/discard',
  '/v1/cutovers/{cutover}/preview': '/v1/cutovers/{cutover}/plan',
  '/v1/forwards': '/v1/copies',
  '/v1/forwards/settle': '/v1/copies/settle',
};

/** Field of an answer or a body → the name it had. */
export const OLD_FIELDS = { forwards: 'copies', forward: 'copy' } as const;
export type RenamedField = keyof typeof OLD_FIELDS;

/** Header of the gateway's answer → the name it had. */
export const OLD_HEADERS = { 'x-crossfade-forward': 'x-crossfade-copy' } as const;

/** Name of the SDK → the name it had. The SDK says them itself: client.ts, index.ts. */
export const OLD_SDK_NAMES = {
  forwards: 'copies',
  httpForwards: 'httpCopies',
  ForwardRecorder: 'CopyRecorder',
} as const;

/** Old words that stay, each with what holds on to it. They mean forwarded writes. */
export const KEPT_NAMES: Readonly<Record<string, string>> = {
  copies: 'code of the condition: audit entries have it, and programs of users decide by it',
  copy_pending: 'error code: applications decide by it',
  copy_not_recorded: 'error code: applications decide by it',
  copy_in_doubt: 'code of a problem: stored with the write',
  copy: 'attribute of a stored receipt, and operation of the stored windows that count a write in quarantine',
  'copies:write': 'scope: the issuer of tokens grants it',
  CopiesAgeMs: 'metric: its history, and dashboards and alarms of users, have it',
  CopiesQuarantined: 'metric: its history, and dashboards and alarms of users, have it',
};

/** The same answer, with its renamed fields under their old names, too. */
export function withOldFields<T extends object>(answer: T): T {
  const renamed = Object.entries(answer).flatMap(([name, value]) =>
    Object.hasOwn(OLD_FIELDS, name) ? [[OLD_FIELDS[name as RenamedField], value]] : [],
  );
  return { ...answer, ...Object.fromEntries(renamed) };
}
