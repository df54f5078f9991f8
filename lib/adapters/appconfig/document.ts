/**
 * Flags as AppConfig stores them: `{version, flags, values}`, where `flags` defines the attributes with their
 * constraints and `values` is what readers are served. Equal flags give equal text.
 */

import { canonicalJson } from '../../core/base/canonical-json.ts';
import { CrossfadeError } from '../../core/base/errors.ts';
import { FULL_SHARE_PPM } from '../../core/cutover/plan.ts';
import { type CutoverFlag, type FlagDocument, SYSTEM_FLAG, type SystemFlag } from '../../core/routing/flags.ts';
import { parseFlags } from '../../schemas/flags.ts';

/** A hosted configuration may have 1 MB (documented with CreateHostedConfigurationVersion). */
const LIMITS = { bytes: 1_048_576, entries: 25, characters: 1024 };
const NAME = /^[a-z][a-zA-Z0-9_-]{0,63}$/;

type Constraints = Readonly<Record<string, unknown>> & { type: 'string' | 'number' | 'boolean' | 'array' };
type Attributes<Flag> = { readonly [Name in Exclude<keyof Flag, 'enabled'>]-?: Constraints };

// Repeated for every cutover, they are most of the document: whatever readers check themselves is left out.
const text: Constraints = { type: 'string' };
const switched: Constraints = { type: 'boolean' };
const counted: Constraints = { type: 'number' };
const listed: Constraints = { type: 'array' };

const CUTOVER_ATTRIBUTES: Attributes<CutoverFlag> = {
  stage: text,
  epoch: counted,
  version: counted,
  read_ppm: { ...counted, minimum: 0, maximum: FULL_SHARE_PPM },
  slices: { type: 'array', elements: counted },
  hold_back_ppm: counted,
  salt: text,
  hash: text,
  shadow_writes: switched,
  validation: text,
  primary_read_only: switched,
  shadow_is_primary: switched,
  allow: listed,
  deny: listed,
};

const SYSTEM_ATTRIBUTES: Attributes<SystemFlag> = {
  version: counted,
  emergency_stop: switched,
  shadow_writes_enabled: switched,
  sync_monitoring: switched,
  divergence_alerts: switched,
  readonly: switched,
  migration_phase: text,
};

/**
 * The text to store.
 * @throws CrossfadeError `flags_too_large` when AppConfig would refuse it for its size, naming the attribute;
 *   `invalid_identifier` for a name it cannot take.
 */
export function storedFlags(document: FlagDocument): string {
  const all: Record<string, CutoverFlag | SystemFlag> = { ...document.cutovers, [SYSTEM_FLAG]: document.system };
  const values = Object.fromEntries(Object.entries(all).map(([name, flag]) => [name, withoutEmptyLists(flag)]));
  const problems = Object.entries(values).flatMap(([name, flag]) => problemsOf(name, flag));
  const flags = Object.fromEntries(Object.entries(values).map(([name, flag]) => [name, definitionOf(name, flag)]));
  const stored = canonicalJson({ version: '1', flags, values });
  const bytes = Buffer.byteLength(stored);
  if (bytes <= LIMITS.bytes && problems.length === 0) return stored;
  const advice = problems.length > 0 ? ['Shorten the lists, or use a cohort.'] : [];
  if (bytes > LIMITS.bytes) {
    const cutovers = Object.keys(document.cutovers).length;
    const each = Math.ceil(bytes / (cutovers + 1));
    problems.push(
      `the document of ${cutovers} cutovers has ${bytes} bytes, some ${each} each, and at most ${LIMITS.bytes} are possible`,
    );
    advice.push(
      `Declare ${Math.ceil((bytes - LIMITS.bytes) / each)} cutovers less, cleaned ones first, or some of them in a second deployment. Until then flags stay as they are deployed, and reads can only be taken away.`,
    );
  }
  throw new CrossfadeError(
    'flags_too_large',
    `The flags cannot be published: ${problems.join('; ')}. ${advice.join(' ')}`,
    { details: { problems } },
  );
}

/** By the schema that AWS publishes an array is of texts or of numbers, and never of both: an empty one is refused. */
const withoutEmptyLists = (flag: object): object =>
  Object.fromEntries(Object.entries(flag).filter(([, value]) => !Array.isArray(value) || value.length > 0));

/** What a flag does not have is not defined for it either: definitions are most of the document. */
function definitionOf(name: string, flag: object) {
  if (!NAME.test(name)) {
    throw new CrossfadeError(
      'invalid_identifier',
      `AppConfig takes no flag named '${name}': it must match ${NAME.source}.`,
    );
  }
  const attributes = Object.entries<Constraints>(name === SYSTEM_FLAG ? SYSTEM_ATTRIBUTES : CUTOVER_ATTRIBUTES);
  return {
    name,
    attributes: Object.fromEntries(
      attributes.flatMap(([attribute, constraints]) => (attribute in flag ? [[attribute, { constraints }]] : [])),
    ),
  };
}

function problemsOf(name: string, flag: object): string[] {
  return Object.entries(flag).flatMap(([attribute, value]) => {
    const entries: readonly unknown[] = Array.isArray(value) ? value : [value];
    const longest = Math.max(0, ...entries.map((entry) => (typeof entry === 'string' ? entry.length : 0)));
    const at = `${name}.${attribute}`;
    return [
      ...(entries.length > LIMITS.entries
        ? [`${at} has ${entries.length} entries, at most ${LIMITS.entries} are possible`]
        : []),
      ...(longest > LIMITS.characters
        ? [`${at} has ${longest} characters, at most ${LIMITS.characters} are possible`]
        : []),
    ];
  });
}

/**
 * Flags from the stored form.
 * @throws CrossfadeError `flags_invalid` when somebody stored something else
 */
export function readStoredFlags(stored: string): FlagDocument {
  let document: unknown;
  try {
    document = JSON.parse(stored);
  } catch (cause) {
    throw new CrossfadeError('flags_invalid', 'What is stored in AppConfig is not JSON. Publish the flags again.', {
      cause,
    });
  }
  return parseFlags((document as { values?: unknown } | null)?.values);
}
