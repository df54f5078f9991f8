/**
 * Flags as a projection of state: one flag per cutover and one named `system`. Nothing is stored in flags that is not
 * derived here, so publishing them again is always safe.
 */

import { canonicalJson } from '../base/canonical-json.ts';
import { CrossfadeError } from '../base/errors.ts';
import type { CutoverDeclaration, CutoverState, SystemState, ValidationMode } from '../cutover/cutover.ts';
import { FULL_SHARE_PPM, stageSharePpm } from '../cutover/plan.ts';
import { isPromoted, isReadingStage, isUnderWay, syncsShadow } from '../cutover/stage-kinds.ts';
import { readsShadow, writesShadow } from '../cutover/switches.ts';
import { murmur3 } from './murmur3.ts';
import { slicesOf } from './slices.ts';

export const SYSTEM_FLAG = 'system';

/** What a reader gets for one cutover. */
export type CutoverFlag = {
  /** False only at a reader: what is published is always true, and people can switch it off in AppConfig. */
  enabled: boolean;
  stage: string;
  epoch: number;
  version: number;
  read_ppm: number;
  /** Where the slices of the plan end, in ppm, but for the last one: while the gates judge, and where there are several. */
  slices?: readonly number[] | undefined;
  /** Keys that stay on the primary until completion. What has no key is served with the other ones. */
  hold_back_ppm?: number | undefined;
  salt: string;
  hash: 'murmur3_x86_32';
  shadow_writes: boolean;
  validation: ValidationMode;
  primary_read_only: boolean;
  shadow_is_primary: boolean;
  allow: readonly string[];
  deny: readonly string[];
};

export type SystemFlag = {
  /** False only at a reader, where it means the same as `emergency_stop`. */
  enabled: boolean;
  version: number;
  emergency_stop: boolean;
  shadow_writes_enabled: boolean;
  sync_monitoring: boolean;
  divergence_alerts: boolean;
  readonly: boolean;
  migration_phase: string;
};

/** The flattened form that AppConfig serves: flag name → attributes. */
export type FlagDocument = { system: SystemFlag; cutovers: Readonly<Record<string, CutoverFlag>> };

/** Stands for a flag that was switched off before this reader ever saw it. */
export const UNSEEN: CutoverFlag = {
  enabled: false,
  stage: 'unknown',
  epoch: 0,
  version: 0,
  read_ppm: 0,
  salt: '',
  hash: 'murmur3_x86_32',
  shadow_writes: false,
  validation: 'disabled',
  primary_read_only: false,
  shadow_is_primary: false,
  allow: [],
  deny: [],
};

/** What a reader could make of a document, each flag by itself. A whole document is one of these, too. */
export type ServedFlags = {
  /** The attributes that could be read; `{ enabled: false }` where it is missing or was switched off. */
  system: Partial<SystemFlag>;
  cutovers: FlagDocument['cutovers'];
  /** Switched off by hand: AppConfig serves these without their attributes. */
  off?: readonly string[];
  /** Of these something could not be read. */
  refused?: readonly string[];
  /** What could not be read, for people. */
  problems?: readonly string[];
};

const LIST_LIMIT = 25;
const ENTRY_LIMIT = 1024;

/**
 * Share of reads that go to the shadow in a state: its stage's, unless they were switched to the primary. Readers that are
 * held back leave it while a promotion is pending: it gives the primary's name to a table of another shape.
 */
export function sharePpmOf(state: CutoverState): number {
  if (isReadingStage(state) && !readsShadow(state)) return 0;
  return isReleased(state) ? FULL_SHARE_PPM : stageSharePpm(state);
}

const isReleased = ({ pending }: CutoverState): boolean => pending?.action === 'promote' && !pending.withdrawn;

/**
 * The flag of one cutover.
 * @param primaryReadOnly the application's writes to the primary are refused now, for the final catch-up
 * @throws CrossfadeError `flags_too_large` when a list is longer than AppConfig takes.
 */
export function cutoverFlag(
  declaration: CutoverDeclaration,
  state: CutoverState,
  system: SystemState,
  primaryReadOnly = false,
): CutoverFlag {
  for (const [name, list] of [
    ['allow', declaration.allow],
    ['deny', declaration.deny],
  ] as const) {
    const longest = Math.max(0, ...list.map((entry) => entry.length));
    if (list.length > LIST_LIMIT || longest > ENTRY_LIMIT) {
      throw new CrossfadeError(
        'flags_too_large',
        `The ${name} list of cutover '${declaration.id}' has ${list.length} entries of up to ${longest} characters. ` +
          `AppConfig takes ${LIST_LIMIT} entries of ${ENTRY_LIMIT}: shorten the list, or use a cohort.`,
      );
    }
  }
  const promoted = isPromoted(state);
  return {
    enabled: true,
    stage: state.stage,
    epoch: state.epoch,
    version: state.version,
    read_ppm: system.emergencyStop && !promoted ? 0 : sharePpmOf(state),
    ...(isUnderWay(state) ? slicesToTell(state) : {}),
    salt: declaration.salt,
    hash: 'murmur3_x86_32',
    shadow_writes: syncsShadow(state) && writesShadow(state, system),
    validation: declaration.validation,
    primary_read_only: primaryReadOnly && isUnderWay(state),
    shadow_is_primary: promoted,
    allow: declaration.allow,
    deny: declaration.deny,
  };
}

/** Readers tell what became of an operation together with the slice of its key. */
function slicesToTell({ plan }: CutoverState): Pick<CutoverFlag, 'slices' | 'hold_back_ppm'> {
  const { holdBackPpm = 0 } = plan;
  const ends = slicesOf(plan, holdBackPpm);
  return {
    ...(ends.length > 1 ? { slices: ends.slice(0, -1) } : {}),
    ...(holdBackPpm > 0 ? { hold_back_ppm: holdBackPpm } : {}),
  };
}

export function systemFlag(system: SystemState): SystemFlag {
  return {
    enabled: true,
    version: system.version,
    emergency_stop: system.emergencyStop,
    shadow_writes_enabled: system.shadowWritesEnabled,
    sync_monitoring: true,
    divergence_alerts: true,
    readonly: system.readonly,
    migration_phase: system.migrationPhase,
  };
}

/**
 * The whole document for the given cutovers.
 * @param held flags that stay as they are deployed: of cutovers under way that are not declared any more
 */
export function flagDocument(
  cutovers: readonly { declaration: CutoverDeclaration; state: CutoverState }[],
  system: SystemState,
  isReadOnly: (id: string) => boolean = () => false,
  held: FlagDocument['cutovers'] = {},
): FlagDocument {
  return {
    system: systemFlag(system),
    cutovers: {
      ...held,
      ...Object.fromEntries(
        cutovers.map(({ declaration, state }) => {
          const { id } = declaration;
          return [id, cutoverFlag(declaration, state, system, isReadOnly(id))];
        }),
      ),
    },
  };
}

/** The flattened form, flag name → attributes, as AppConfig serves it. */
export function servedForm(document: FlagDocument): Readonly<Record<string, CutoverFlag | SystemFlag>> {
  return { ...document.cutovers, [SYSTEM_FLAG]: document.system };
}

/** An HTTP entity tag: the same for the same flags, or what is answered of them; 64 bits of hash for any others. */
export function flagTag(said: object): string {
  const text = canonicalJson(said);
  return `"${[murmur3(text, 0), murmur3(text, 1)].map((hash) => hash.toString(16).padStart(8, '0')).join('')}"`;
}

/** Negative when a is older than b: epoch first, then version. */
export function compareFlagAge(
  a: Pick<CutoverFlag, 'epoch' | 'version'>,
  b: Pick<CutoverFlag, 'epoch' | 'version'>,
): number {
  return a.epoch - b.epoch || a.version - b.version;
}

/** True when the document has the flag of exactly this state. */
export function carriesState(
  document: FlagDocument | null | undefined,
  state: Pick<CutoverState, 'id' | 'epoch' | 'version'>,
): boolean {
  const flag = document?.cutovers[state.id];
  return flag !== undefined && compareFlagAge(flag, state) === 0;
}

/** True when flags of an earlier epoch, such as those that a rollback has not replaced yet, send readers of this cutover to the shadow. */
export function namesShadow(document: FlagDocument | null, { id, epoch }: Pick<CutoverState, 'id' | 'epoch'>): boolean {
  const flag = document?.cutovers[id];
  return flag !== undefined && flag.epoch < epoch && flag.read_ppm > 0;
}

/** True when both documents say the same, whatever the order of their keys. */
export function sameDocument(a: FlagDocument, b: FlagDocument): boolean {
  return canonicalJson(a) === canonicalJson(b);
}
