/** Commands on one cutover: settle the confirmation, read the version they are based on, send. */

import { CrossfadeError } from '../../core/base/errors.ts';
import type { CutoverSummary } from '../../flows/control/operate.ts';
import type { CommandName } from '../../schemas/http.ts';
import { type Api, DEADLINE_MS, LONG_DEADLINE_MS } from '../api.ts';
import { confirm } from '../confirm.ts';
import { type Action, cutoverId, idempotencyKey, type Options, openApi } from '../context.ts';
import { policyBody } from '../policy-values.ts';
import { signedIn } from '../rehearsal-file.ts';
import { renderCommandAnswer } from '../render-verdict.ts';

type Answer = CutoverSummary & { published: boolean };

/** What each command sends. `confirm` is the id: the person typed it, or the command was not sent. `way`: of a switch. */
const BODIES: Record<CommandName, (options: Options, id: string, way: string | undefined) => object> = {
  start: ({ plan, dwell, rehearsal }) => ({
    plan,
    dwellMinutes: dwell,
    ...(rehearsal === undefined ? {} : { rehearsal: signedIn(rehearsal) }),
  }),
  advance: ({ force, reason }) => ({ force, reason }),
  approve: () => ({}),
  pause: () => ({}),
  resume: () => ({}),
  policy: (options) => policyBody(options),
  reads: ({ reason }, _id, to) => ({ to, reason }),
  'shadow-writes': ({ reason }, _id, way) => ({ enabled: way === 'on', reason }),
  rollback: ({ reason }) => ({ reason }),
  complete: ({ force, reason }, id) => ({ confirm: id, force, reason }),
  cleanup: ({ dropTracking }, id) => ({ confirm: id, ...(dropTracking ? { dropTracking } : {}) }),
  reset: (_options, id) => ({ confirm: id }),
};
const NEEDS_CONFIRM: readonly CommandName[] = ['complete', 'cleanup', 'reset'];
/** Start reads the catalog, rollback after completion and complete swap tables. */
const LONG: readonly CommandName[] = ['start', 'rollback', 'complete', 'cleanup'];

export function operateAction(name: CommandName): Action {
  return async (context) => {
    const { io, options } = context;
    const id = cutoverId(context);
    checkOptions(name, options);
    const key = idempotencyKey(context);
    const { connection, api } = openApi(context);
    if (NEEDS_CONFIRM.includes(name)) {
      const { loopback, url } = connection;
      const command = `${name} '${id}'`;
      await confirm(io, { command, name: id, given: options.confirm, yes: options.yes === true, loopback, url });
    }
    const ifVersion = options.ifVersion ?? (await currentVersion(api, id));
    const answer = await api.post<Answer>(`/v1/cutovers/${id}/${name}`, BODIES[name](options, id, context.args[1]), {
      idempotencyKey: key,
      ifVersion,
      deadlineMs: LONG.includes(name) ? LONG_DEADLINE_MS : DEADLINE_MS,
    });
    return { document: answer, text: renderCommandAnswer(answer) };
  };
}

function checkOptions(name: CommandName, { force, reason, plan, dwell }: Options): void {
  if (force && !reason) {
    throw new CrossfadeError('invalid_input', `'${name} --force' needs --reason: it is audited with your name.`);
  }
  if (dwell !== undefined && plan === undefined) {
    throw new CrossfadeError('invalid_input', '--dwell needs --plan; without it the declared plan is used as it is.');
  }
}

async function currentVersion(api: Api, id: string): Promise<number> {
  const report = await api.get<{ version?: number; why?: string }>(`/v1/cutovers/${id}`);
  if (typeof report.version === 'number') return report.version;
  throw new CrossfadeError(
    'state_invalid',
    `The stored state of cutover '${id}' cannot be read: ${report.why ?? 'it has no version'}. Restore the item; nothing was sent.`,
  );
}
