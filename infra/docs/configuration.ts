/** Every key of a declaration: its form from the schema, its default from the core, its meaning from a table. */

import * as z from 'zod';
import { DEFAULT_POLICY } from '../../lib/core/cutover/cutover.ts';
import { DEFAULT_GATEWAY } from '../../lib/core/net/upstream.ts';
import { cutoverInput } from '../../lib/schemas/declarations.ts';
import { code, table } from './markdown.ts';
import { KEY_DEFAULTS, KEY_MEANINGS } from './meanings.ts';

type Json = {
  type?: string | readonly string[];
  enum?: readonly unknown[];
  const?: unknown;
  anyOf?: readonly Json[];
  oneOf?: readonly Json[];
  properties?: Readonly<Record<string, Json>>;
  additionalProperties?: Json | boolean;
  items?: Json;
  prefixItems?: readonly Json[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  maxItems?: number;
  required?: readonly string[];
};

/** Explained in a section of their own, or a union of forms that their meaning shows. */
const WHOLE = new Set([
  'alerts',
  'criteria',
  'experiments',
  'freeze',
  'columns',
  'reverse',
  'plan',
  'stages',
  'dwellMinutes',
]);

/** The keys of each kind, `policy.memoryMax` for nested ones. */
function keysOf(schema: Json, prefix = '', within = true): [string, Json, boolean][] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, one]): [string, Json, boolean][] => {
    const key = prefix + name;
    const required = within && (schema.required ?? []).includes(name);
    if (one.properties && !WHOLE.has(key)) return keysOf(one, `${key}.`, required);
    return [[key, one, required]];
  });
}

type Found = { kinds: string[]; schema: Json; required: boolean };

function found(): Map<string, Found> {
  const kinds = ((z.toJSONSchema(cutoverInput, { io: 'input', unrepresentable: 'any' }) as Json).oneOf ?? []) as Json[];
  const keys = new Map<string, Found>();
  for (const kind of kinds) {
    const name = String(kind.properties!.kind!.const);
    for (const [key, schema, required] of keysOf(kind)) {
      const known = keys.get(key);
      if (known) known.kinds.push(name);
      else keys.set(key, { kinds: [name], schema, required });
    }
  }
  return keys;
}

export function configurationTable(): string {
  const keys = found();
  const unknown = Object.keys(KEY_MEANINGS).filter((key) => !keys.has(key));
  if (unknown.length > 0) throw new Error(`These keys have a meaning and are no keys: ${unknown.join(', ')}.`);
  const rows = [...keys].map(([key, { kinds, schema, required }]) => {
    const meaning = KEY_MEANINGS[key];
    if (meaning === undefined) throw new Error(`Key '${key}' has no meaning in infra/docs/meanings.ts.`);
    return [
      code(key),
      kinds.length === 3 ? 'all' : kinds.join(', '),
      key === 'kind' ? '`table`, `component`, `service`' : form(schema),
      required ? '**required**' : defaultOf(key),
      meaning,
    ];
  });
  return table(['key', 'of', 'form', 'default', 'meaning'], rows);
}

function defaultOf(key: string): string {
  const named = KEY_DEFAULTS[key];
  if (named !== undefined) return named;
  const [group, name, inner] = key.split('.');
  if (group === 'policy') return shown((DEFAULT_POLICY as Record<string, unknown>)[name!]);
  if (group === 'gateway') {
    const value = (DEFAULT_GATEWAY as unknown as Record<string, unknown>)[name!];
    return shown(inner === undefined ? value : (value as Record<string, unknown>)[inner]);
  }
  return 'none';
}

const shown = (value: unknown) => (value === null ? 'none' : code(JSON.stringify(value).replaceAll('"', "'")));

/** @example form({ type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 }) // 'number, above 0, below 1' */
function form(schema: Json): string {
  if (schema.const !== undefined) return code(String(schema.const));
  if (schema.enum) return schema.enum.map((value) => code(String(value))).join(', ');
  const forms = schema.anyOf ?? schema.oneOf;
  if (forms) return [...new Set(forms.map(form))].join(' or ');
  if (schema.type === 'array')
    return `list${schema.items?.type === 'string' ? ' of texts' : ''}${upTo(schema.maxItems)}`;
  if (schema.type === 'object') return 'object';
  return [schema.type === 'string' ? 'text' : String(schema.type ?? 'any'), ...bounds(schema)].join(', ');
}

const upTo = (most: number | undefined) => (most === undefined ? '' : `, at most ${most}`);

function bounds({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Json): string[] {
  const isLimit = (value: number | undefined): value is number =>
    value !== undefined && Math.abs(value) < Number.MAX_SAFE_INTEGER;
  return [
    ...(isLimit(minimum) ? [`from ${minimum}`] : []),
    ...(isLimit(exclusiveMinimum) ? [`above ${exclusiveMinimum}`] : []),
    ...(isLimit(maximum) ? [`to ${maximum}`] : []),
    ...(isLimit(exclusiveMaximum) ? [`below ${exclusiveMaximum}`] : []),
  ];
}
