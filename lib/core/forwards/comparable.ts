/**
 * What can be compared of a value: its own enumerable data, and what the data types of the language hold. Where there is,
 * or may be, more to a value than that, it is hidden: it may be found to differ, and is never taken for equal.
 */

export type Fields = Readonly<Record<string, unknown>>;

export type Comparable = {
  /** Values of different types differ. What JSON has no word for is of the type 'undefined'. */
  type: string;
  /** At most one of these four. */
  value?: unknown;
  list?: readonly unknown[];
  fields?: Fields;
  elements?: ArrayLike<unknown>;
  /** The order of the list means nothing. */
  unordered?: boolean;
  /** Its class. Instances of two classes may be alike in all their fields and still mean two things. */
  of?: object | undefined;
  /** What it is, where there may be more to it. */
  hidden?: string | undefined;
};

export function comparable(value: unknown): Comparable {
  if (value === null) return { type: 'null', value };
  if (typeof value === 'function' || typeof value === 'symbol') return { type: 'undefined', hidden: typeof value };
  if (typeof value !== 'object') return { type: typeof value, value };
  try {
    // Most answers are made of these.
    if (Object.getPrototypeOf(value) === Object.prototype && !('toJSON' in value)) return object(value);
    return dataType(value) ?? asJson(value) ?? object(value);
  } catch {
    return { type: 'object', hidden: 'object that throws' };
  }
}

const BOXES: Readonly<Record<string, () => unknown>> = {
  Number: Number.prototype.valueOf,
  String: String.prototype.valueOf,
  Boolean: Boolean.prototype.valueOf,
  BigInt: BigInt.prototype.valueOf,
};

/** Of the platform: lists of names with values. Looked up by name, since Node loads them when they are first mentioned. */
const LISTS = new Set(['Headers', 'URLSearchParams', 'FormData']);

/** What the language and the platform hold inside. A method that is called on what is not its own type throws. */
function dataType(value: object): Comparable | undefined {
  const type = Object.prototype.toString.call(value).slice(8, -1);
  if (Array.isArray(value)) return { type: 'list', list: value, ...further(value) };
  if (type === 'DataView' || type === 'ArrayBuffer' || type === 'SharedArrayBuffer') return bytes(type, value);
  if (ArrayBuffer.isView(value)) return { type, elements: value as Uint8Array };
  if (type === 'Error' || value instanceof Error) return { type: 'error', fields: errorFields(value as Error) };
  if (LISTS.has(type) && value instanceof (globalThis as never)[type]) return { type, list: [...(value as Headers)] };
  if (Object.hasOwn(BOXES, type)) return comparable(BOXES[type]!.call(value));
  switch (type) {
    case 'Date':
      return Number.isNaN(Date.prototype.getTime.call(value)) ? { type: 'invalid date', value: null } : undefined;
    case 'RegExp': {
      const { source, flags, lastIndex } = value as RegExp;
      return { type, fields: { source, flags, lastIndex }, hidden: hiddenBy(value, RegExp.prototype) };
    }
    case 'Map':
      return { ...map([...Map.prototype.entries.call(value)]), hidden: hiddenBy(value, Map.prototype) };
    case 'Set': {
      const list = [...Set.prototype.values.call(value)];
      return { type, list, unordered: true, hidden: hiddenBy(value, Set.prototype) };
    }
    default:
      return undefined;
  }
}

function bytes(type: string, value: object): Comparable {
  const view = type === 'DataView' ? (value as DataView) : new DataView(value as ArrayBuffer);
  return { type, elements: new Uint8Array(view.buffer, view.byteOffset, view.byteLength) };
}

/** By the names of its keys, whatever their order; where keys are objects, as a list of entries. */
function map(entries: [unknown, unknown][]): Comparable {
  const fields: Fields = Object.fromEntries(
    entries.map(([key, value]) => [typeof key === 'string' ? key : `${typeof key} ${String(key)}`, value]),
  );
  const isNamed = entries.every(([key]) => key === null || !['object', 'function', 'symbol'].includes(typeof key));
  return isNamed && Object.keys(fields).length === entries.length
    ? { type: 'Map', fields }
    : { type: 'Map of objects', list: entries, unordered: true };
}

/** What a list has beside its places. */
function further(list: readonly unknown[]): Pick<Comparable, 'fields'> {
  if (list.length > MAX_PLACES) return {};
  const names = Object.keys(list);
  if (names.length <= list.length && (names.length === 0 || isPlace(names.at(-1)!))) return {};
  return {
    fields: Object.fromEntries(names.filter((name) => !isPlace(name)).map((name) => [name, list[name as never]])),
  };
}

const MAX_PLACES = 50_000;
const isPlace = (name: string) => /^\d+$/.test(name);

/** The message and the cause of an error are not enumerable; its stack is no part of what it says. */
function errorFields(error: Error): Fields {
  const { name, message, cause, status, code, errors } = error as Error & Record<string, unknown>;
  return { ...error, name, message, cause, status, code, errors };
}

/** What an object gives to JSON is all that is sent of it. */
function asJson(value: object): Comparable | undefined {
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON !== 'function') return undefined;
  const json: unknown = toJSON.call(value, '');
  if (json === value) return { type: 'object', fields: value as Fields };
  if (typeof json !== 'object' || json === null) return comparable(json);
  return dataType(json) ?? object(json);
}

function object(value: object): Comparable {
  const of = classOf(value);
  const isOpen =
    Reflect.ownKeys(value).length === Object.keys(value).length &&
    (!of || isOpenClass(of)) &&
    typeof (value as { then?: unknown }).then !== 'function';
  return isOpen ? { type: 'object', fields: value as Fields, of } : { type: 'object', hidden: nameOf(of) };
}

/** Undefined for plain objects, those of other realms included. */
function classOf(value: object): object | undefined {
  const prototype: object | null = Object.getPrototypeOf(value);
  return prototype === null || isRoot(prototype) ? undefined : prototype;
}

const isRoot = (prototype: object) =>
  Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf');

const nameOf = (of: object | undefined): string => {
  const name: unknown = of?.constructor?.name;
  return typeof name === 'string' && /^[A-Za-z_$][\w$]{0,39}$/.test(name) ? name : 'object';
};

/** For what is no class of its own, or one without secrets. */
function hiddenBy(value: object, base: object): string | undefined {
  const of = Object.getPrototypeOf(value);
  if (of === base && Reflect.ownKeys(value).every((name) => name === 'lastIndex')) return undefined;
  return nameOf(of);
}

const known = new WeakMap<object, boolean>();
/** Private fields, also as compilers write them, or anything else that may keep something apart of the object. */
const SECRETS = /#[\w$]|rivate|\bWeak|(?<!\bObject\.assign)\(this\b|\[native code\]/;

/** Its instances have nothing but their own fields, as far as its source shows: no getters, no private or inherited data. */
function isOpenClass(of: object): boolean {
  const before = known.get(of);
  if (before !== undefined) return before;
  let isOpen = true;
  for (let at: object | null = of; at && !isRoot(at) && isOpen; at = Object.getPrototypeOf(at)) {
    const member = (name: PropertyKey): unknown => Object.getOwnPropertyDescriptor(at, name)?.value;
    const made = member('constructor');
    isOpen =
      typeof made === 'function' &&
      !SECRETS.test(Function.prototype.toString.call(made)) &&
      Reflect.ownKeys(at).every((name) => typeof member(name) === 'function');
  }
  known.set(of, isOpen);
  return isOpen;
}
