/** Between which types a cast changes a value without a word. Casts of other types keep it or refuse it. */

/** What a number type holds: digits in all and after the point, and binary digits where the point floats. */
type NumberForm = { digits: number; scale: number; binary: number | null };

const INTEGERS: Readonly<Record<string, number>> = { smallint: 15, integer: 31, bigint: 63 };
const FLOATS: Readonly<Record<string, number>> = { real: 24, 'double precision': 53 };
/** Decimal digits that come back from a floating point type as they went in: FLT_DIG and DBL_DIG of C. */
const FLOAT_DIGITS: Readonly<Record<number, number>> = { 24: 6, 53: 15 };
/** Digits of a second where the type does not say. */
const USUAL_FRACTION = 6;

/**
 * True when a value of one type may come out of a cast to the other rounded or cut, where Postgres raises no error: digits after
 * the point, digits of large numbers in floating point, fractions of a second, the time of a day. Both as `format_type` spells
 * them; of arrays, their elements.
 */
export function rounds(from: string, to: string): boolean {
  if (from === to) return false;
  const [one, other] = [numberForm(from), numberForm(to)];
  if (one && other) return roundsNumbers(one, other, integerBits(from));
  const [moment, stored] = [timeForm(from), timeForm(to)];
  if (moment && stored) return !stored.holds.includes(moment.kind) || moment.fraction > stored.fraction;
  return false;
}

const WORDS = /^(text|character varying(\(\d+\))?)(\[\])?$/;

const BOUNDED = /^(character varying|character|bit varying|bit)\(\d+\)/;
const BOUNDLESS: Readonly<Record<string, string>> = { character: 'bpchar', bit: 'bit varying' };

/** The type without its length: each of its values is one of that, too. */
export const boundless = (type: string): string => type.replace(BOUNDED, (_, name: string) => BOUNDLESS[name] ?? name);

/**
 * True unless it is known that a cast from one type to the other keeps each value or refuses it: then it is asked of each value, by a
 * cast there and back. Text is cast without its length, which the table judges. Into jsonb everything may go: it keeps what JSON
 * says and not how it was written, and the owner of a jsonb column wants it so.
 */
export function mayChange(from: string, to: string): boolean {
  if (from === to || boundless(from) === to || to === 'jsonb' || (WORDS.test(from) && WORDS.test(to))) return false;
  if (numberForm(from) && numberForm(to)) return rounds(from, to);
  const [moment, stored] = [timeForm(from), timeForm(to)];
  // An hour of the local clock that comes twice a year is two moments.
  if (moment && stored) return rounds(from, to) || zone(from) !== zone(to);
  return true;
}

/**
 * True when the way from one type to the other may lose what the way back cannot give again, and what comes back loses nothing more. Lists
 * of numbers are left out: their equality is of numbers, and no text of theirs has it. Out of jsonb everything comes back.
 */
export function loses(from: string, to: string): boolean {
  if (from === to || from === 'jsonb' || (isNumber(to) && to.endsWith('[]'))) return false;
  return to === 'jsonb' || mayChange(from, to);
}

const zone = (type: string) => / with time zone/.test(type);

/** Numbers that are equal are the same number, whatever their scale; of all other types the bytes are compared. */
export const isNumber = (type: string): boolean => numberForm(type) !== null || type === 'money';

function roundsNumbers(from: NumberForm, to: NumberForm, integerBits: number | null): boolean {
  if (to.binary === null) return from.binary !== null || from.scale > to.scale;
  if (from.binary !== null) return from.binary > to.binary;
  return integerBits === null ? from.digits > FLOAT_DIGITS[to.binary]! : integerBits > to.binary;
}

const element = (type: string) => type.replace(/\[\]$/, '');
const integerBits = (type: string) => INTEGERS[element(type)] ?? null;

function numberForm(type: string): NumberForm | null {
  const name = element(type);
  const endless = { digits: Number.POSITIVE_INFINITY, scale: Number.POSITIVE_INFINITY };
  if (name in INTEGERS) return { ...endless, scale: 0, binary: null };
  if (name in FLOATS) return { ...endless, binary: FLOATS[name]! };
  if (name === 'numeric') return { ...endless, binary: null };
  const bounded = /^numeric\((\d+),(-?\d+)\)$/.exec(name);
  return bounded ? { digits: Number(bounded[1]), scale: Number(bounded[2]), binary: null } : null;
}

/** Which kinds of time a type keeps whole. Zones are a matter of the session, which is the same both ways. */
const KEEPS: Readonly<Record<string, readonly string[]>> = {
  date: ['date'],
  time: ['time'],
  timestamp: ['date', 'timestamp'],
  interval: ['time', 'interval'],
};

function timeForm(type: string): { kind: string; holds: readonly string[]; fraction: number } | null {
  const found = /^(date|timestamp|time|interval)(?:\((\d)\))?(?: with(?:out)? time zone)?$/.exec(element(type));
  if (!found) return null;
  const [, kind = '', fraction] = found;
  return { kind, holds: KEEPS[kind]!, fraction: kind === 'date' ? 0 : Number(fraction ?? USUAL_FRACTION) };
}
