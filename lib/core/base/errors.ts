/**
 * The one error the product throws. Expected answers are values; this is for the rest.
 * A code is part of the public contract: HTTP status, CLI exit code and documentation hang on it.
 */

type Row = { status: number; exit: number; denial?: true };
/** Has the types of the package name each code once, in place of each of its figures. */
const rows = <Code extends string>(table: Record<Code, Row>): Record<Code, Row> => table;

/**
 * Every code, with the HTTP status and the CLI exit code the outermost edge turns it into. `denial`: a caller who is known gave
 * a command that is known and was refused, which is worth an entry of the audit.
 */
export const ERROR_CODES = /* @__PURE__ */ rows({
  invalid_input: { status: 400, exit: 2 },
  invalid_json: { status: 400, exit: 2 },
  invalid_identifier: { status: 400, exit: 2 },
  invalid_config: { status: 400, exit: 2 },
  invalid_plan: { status: 400, exit: 2 },
  unknown_property: { status: 400, exit: 2 },
  confirm_required: { status: 400, exit: 2, denial: true },
  unauthenticated: { status: 401, exit: 1 },
  forbidden: { status: 403, exit: 1 },
  self_approval: { status: 403, exit: 1, denial: true },
  not_found: { status: 404, exit: 2 },
  method_not_allowed: { status: 405, exit: 2 },
  conflict: { status: 409, exit: 5, denial: true },
  illegal_transition: { status: 409, exit: 5, denial: true },
  held: { status: 409, exit: 3, denial: true },
  stopped: { status: 409, exit: 3, denial: true },
  frozen: { status: 409, exit: 3, denial: true },
  rollback_not_ready: { status: 409, exit: 3, denial: true },
  stale_version: { status: 412, exit: 5, denial: true },
  too_large: { status: 413, exit: 2 },
  unsupported_media_type: { status: 415, exit: 2 },
  idempotency_mismatch: { status: 422, exit: 5 },
  precondition_required: { status: 428, exit: 2 },
  refused_table: { status: 409, exit: 2, denial: true },
  stale_epoch: { status: 409, exit: 5 },
  state_invalid: { status: 500, exit: 1 },
  flags_too_large: { status: 409, exit: 2 },
  flags_invalid: { status: 502, exit: 1 },
  invalid_event: { status: 400, exit: 1 },
  rate_limited: { status: 429, exit: 1 },
  loop_detected: { status: 508, exit: 1 },
  copy_pending: { status: 503, exit: 1 },
  copy_not_recorded: { status: 503, exit: 1 },
  upstream_refused: { status: 502, exit: 1 },
  upstream_unavailable: { status: 502, exit: 1 },
  upstream_timeout: { status: 504, exit: 1 },
  store_unavailable: { status: 503, exit: 1 },
  flags_unavailable: { status: 503, exit: 1 },
  database_unavailable: { status: 503, exit: 1 },
  access_denied: { status: 500, exit: 1 },
  schema_changed: { status: 409, exit: 1 },
  internal: { status: 500, exit: 1 },
});

export type ErrorCode = keyof typeof ERROR_CODES;

export const isDenial = (code: ErrorCode): boolean => 'denial' in ERROR_CODES[code];

export type ErrorDetails = Readonly<Record<string, unknown>>;

/**
 * @example throw new CrossfadeError('not_found', "No cutover 'custmer' is declared. Did you mean 'customer'?");
 */
export class CrossfadeError extends Error {
  readonly code: ErrorCode;
  /** True when the same call may succeed later without anything being changed. */
  readonly retryable: boolean;
  /** Values the message speaks of, for programs. Never secrets, never row values. */
  readonly details: ErrorDetails;

  constructor(
    code: ErrorCode,
    message: string,
    options: { retryable?: boolean; details?: ErrorDetails; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'CrossfadeError';
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.details = options.details ?? {};
  }
}

/** True for any value that carries the product's error contract, also across bundles. */
export function isCrossfadeError(value: unknown): value is CrossfadeError {
  return value instanceof Error && value.name === 'CrossfadeError' && 'code' in value;
}

/** What went wrong in a few words, of anything that can be thrown. Some errors have a name only. */
export const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message || error.name : String(error);
