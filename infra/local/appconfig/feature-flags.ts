/**
 * Profiles of type AWS.AppConfig.FeatureFlags: what may be stored (`{version, flags, values}`) and what readers are
 * served (the values alone; of a disabled flag nothing but that). Limits are the documented ones.
 */

import { badRequest } from './service-error.ts';

export const FEATURE_FLAGS = 'AWS.AppConfig.FeatureFlags';

const NAME = /^[a-z][a-zA-Z0-9_-]{0,63}$/;
const MOST_ATTRIBUTES = 25;
const MOST_ENTRIES = 25;
const LONGEST_TEXT = 1024;
/** Written by the console beside the attributes; never served. */
const BOOKKEEPING = new Set(['_createdAt', '_updatedAt', '_deprecation']);

type Fields = Readonly<Record<string, unknown>>;
type Problems = string[];

/** The stored form, or an error with every problem. */
export function checkFlags(content: Buffer, contentType: string): void {
  if (!contentType.startsWith('application/json'))
    throw badRequest(`Feature flags are stored as application/json, not ${contentType}.`);
  const problems: Problems = [];
  const document = parsed(content);
  checkKeys(document, ['version', 'flags', 'values'], 'document', problems);
  if (document.version !== '1') problems.push(`version is ${JSON.stringify(document.version)}, it must be "1"`);
  const flags = fieldsOf(document.flags ?? {}, 'flags', problems);
  const values = fieldsOf(document.values ?? {}, 'values', problems);
  for (const [name, flag] of Object.entries(flags)) checkDefinition(name, flag, problems);
  for (const [name, value] of Object.entries(values)) checkValue(name, value, flags[name], problems);
  if (problems.length > 0) {
    throw badRequest(`The feature flags are not valid: ${problems.join('; ')}.`, {
      Reason: 'InvalidConfiguration',
      Details: { InvalidConfiguration: problems.map((Reason) => ({ Reason, Type: 'feature flag' })) },
    });
  }
}

function parsed(content: Buffer): Fields {
  try {
    const document: unknown = JSON.parse(content.toString('utf8'));
    if (isFields(document)) return document;
  } catch {
    // Said below.
  }
  throw badRequest('The feature flags are not a JSON object.');
}

// ---------------------------------------------------------------------------------------------------- definitions

function checkDefinition(name: string, flag: unknown, problems: Problems): void {
  const at = `flags.${name}`;
  checkName(name, at, problems);
  const fields = fieldsOf(flag, at, problems);
  checkKeys(fields, ['name', 'description', 'attributes', ...BOOKKEEPING], at, problems);
  const attributes = Object.entries(fieldsOf(fields.attributes ?? {}, `${at}.attributes`, problems));
  if (attributes.length > MOST_ATTRIBUTES)
    problems.push(`${at} has ${attributes.length} attributes, at most ${MOST_ATTRIBUTES} are possible`);
  for (const [attribute, definition] of attributes) {
    checkName(attribute, `${at}.attributes.${attribute}`, problems);
    const constraints = constraintsOf(definition);
    if (constraints) checkConstraints(constraints, `${at}.attributes.${attribute}`, problems);
  }
}

const CONSTRAINT_KEYS: Readonly<Record<string, readonly string[]>> = {
  string: ['type', 'required', 'pattern', 'enum'],
  number: ['type', 'required', 'minimum', 'maximum'],
  boolean: ['type', 'required'],
  array: ['type', 'required', 'elements'],
};

function checkConstraints(constraints: Fields, at: string, problems: Problems): void {
  const keys = CONSTRAINT_KEYS[String(constraints.type)];
  if (!keys) {
    problems.push(`${at} has the type ${JSON.stringify(constraints.type)}`);
    return;
  }
  checkKeys(constraints, keys, at, problems);
  if (constraints.pattern !== undefined && constraints.enum !== undefined)
    problems.push(`${at} has both a pattern and an enum`);
  if (isFields(constraints.elements)) checkConstraints(constraints.elements, `${at}.elements`, problems);
}

function constraintsOf(definition: unknown): Fields | null {
  const constraints = isFields(definition) ? definition.constraints : undefined;
  return isFields(constraints) ? constraints : null;
}

// --------------------------------------------------------------------------------------------------------- values

function checkValue(name: string, value: unknown, flag: unknown, problems: Problems): void {
  const at = `values.${name}`;
  checkName(name, at, problems);
  const fields = fieldsOf(value, at, problems);
  if (typeof fields.enabled !== 'boolean') problems.push(`${at}.enabled is not a boolean`);
  if (!isFields(flag)) {
    problems.push(`${at} has no flag`);
    return;
  }
  const attributes = isFields(flag.attributes) ? flag.attributes : {};
  for (const [attribute, definition] of Object.entries(attributes)) {
    const constraints = constraintsOf(definition);
    const given = fields[attribute];
    if (given !== undefined) checkAttribute(given, constraints, `${at}.${attribute}`, problems);
    else if (constraints?.required === true) problems.push(`${at}.${attribute} is required`);
  }
  const known = ['enabled', ...BOOKKEEPING, ...Object.keys(attributes)];
  checkKeys(fields, known, at, problems);
}

function checkAttribute(value: unknown, constraints: Fields | null, at: string, problems: Problems): void {
  if (!isPublished(value)) problems.push(`${at} is ${JSON.stringify(value)?.slice(0, 40)}: ${PUBLISHED}`);
  if (Array.isArray(value) && value.length > MOST_ENTRIES)
    problems.push(`${at} has ${value.length} entries, at most ${MOST_ENTRIES} are possible`);
  for (const text of Array.isArray(value) ? value : [value]) {
    if (typeof text === 'string' && text.length > LONGEST_TEXT)
      problems.push(`${at} has ${text.length} characters, at most ${LONGEST_TEXT} are possible`);
  }
  if (constraints && !satisfies(value, constraints))
    problems.push(`${at} is ${JSON.stringify(value)?.slice(0, 40)} and violates ${JSON.stringify(constraints)}`);
}

const PUBLISHED =
  'a value is a text, a number, a boolean, or an array of either texts or numbers; an empty array is both';

/** As the published JSON schema has it, whose `oneOf` an empty array fits twice. */
function isPublished(value: unknown): boolean {
  if (!Array.isArray(value)) return ['string', 'number', 'boolean'].includes(typeof value);
  return ['string', 'number'].filter((type) => value.every((entry) => typeof entry === type)).length === 1;
}

function satisfies(value: unknown, constraints: Fields): boolean {
  if (constraints.type === 'array') {
    const elements = isFields(constraints.elements) ? constraints.elements : null;
    return Array.isArray(value) && (!elements || value.every((entry) => satisfies(entry, elements)));
  }
  if (typeof value !== constraints.type) return false;
  if (typeof value === 'number')
    return !(value < Number(constraints.minimum ?? value) || value > Number(constraints.maximum ?? value));
  if (Array.isArray(constraints.enum)) return constraints.enum.includes(value);
  return typeof constraints.pattern !== 'string' || new RegExp(constraints.pattern).test(String(value));
}

// --------------------------------------------------------------------------------------------------------- serving

/** `{flag: {enabled, …attributes}}`, as readers get it. */
export function flattened(content: Buffer): Buffer {
  const values = fieldsOf(parsed(content).values ?? {}, 'values', []);
  const served = Object.entries(values).map(([name, value]) => {
    const fields = isFields(value) ? value : {};
    if (fields.enabled !== true) return [name, { enabled: false }];
    return [name, Object.fromEntries(Object.entries(fields).filter(([key]) => !BOOKKEEPING.has(key)))];
  });
  return Buffer.from(JSON.stringify(Object.fromEntries(served)));
}

// ---------------------------------------------------------------------------------------------------------- shared

function checkName(name: string, at: string, problems: Problems): void {
  if (!NAME.test(name)) problems.push(`${at} does not match ${NAME.source}`);
}

function checkKeys(fields: Fields, known: readonly string[], at: string, problems: Problems): void {
  for (const key of Object.keys(fields)) if (!known.includes(key)) problems.push(`${at}.${key} is not known`);
}

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function fieldsOf(value: unknown, at: string, problems: Problems): Fields {
  if (isFields(value)) return value;
  problems.push(`${at} is not an object`);
  return {};
}
