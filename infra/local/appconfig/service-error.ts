/** The errors of both AppConfig services, as they look on the wire: a header with the name, JSON with the message. */

export type ServiceErrorName =
  | 'BadRequestException'
  | 'ServiceQuotaExceededException'
  | 'ResourceNotFoundException'
  | 'ConflictException'
  | 'PayloadTooLargeException'
  | 'ThrottlingException'
  | 'InternalServerException';

const STATUS = {
  BadRequestException: 400,
  ServiceQuotaExceededException: 402,
  ResourceNotFoundException: 404,
  ConflictException: 409,
  PayloadTooLargeException: 413,
  ThrottlingException: 429,
  InternalServerException: 500,
} as const satisfies Record<ServiceErrorName, number>;

export class ServiceError extends Error {
  readonly status: number;
  /** Fields beside `Message`. */
  readonly fields: Readonly<Record<string, unknown>>;

  constructor(name: ServiceErrorName, message: string, fields: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.name = name;
    this.status = STATUS[name];
    this.fields = fields;
  }
}

export const badRequest = (message: string, fields?: Readonly<Record<string, unknown>>) =>
  new ServiceError('BadRequestException', message, fields);
export const conflict = (message: string) => new ServiceError('ConflictException', message);
export const notFound = (kind: string, id: string) =>
  new ServiceError('ResourceNotFoundException', `${kind} '${id}' does not exist.`, {
    ResourceName: id,
    ResourceType: kind.replaceAll(' ', ''),
  });
export const quotaExceeded = (what: string, limit: number) =>
  new ServiceError('ServiceQuotaExceededException', `At most ${limit} ${what} are possible.`);
