// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are texts of the files that make the SQL
/** Faults for `--plant`: each is a change of one file, and the scene that must notice it within three minutes. */

import { readFileSync } from 'node:fs';
import { type Replacement, replaceOnce } from '../helpers/replace-once.ts';
import type { Planted } from '../mutants/plant.ts';
import type { SceneName } from './scenes.ts';

/** `notices`: what the check prints that is there for this fault. */
export type Plant = { scene: SceneName; file: string; changes: readonly Replacement[]; notices: RegExp };

/** @throws Error when a change does not fit the file exactly once */
export function planted({ file, changes }: Plant): Planted {
  const text = readFileSync(file, 'utf8');
  return { file, text: changes.reduce((changed, change) => replaceOnce(changed, change, file), text) };
}

export const PLANTS: Readonly<Record<string, Plant>> = {
  'ack-before-commit': {
    scene: 'state',
    notices: /\w+ was acknowledged, and is read: expected \d+ to be greater/,
    file: 'lib/flows/control/commit.ts',
    changes: [
      [
        'const result = await ports.state.writeCutover({',
        "const result = { kind: 'applied' } as WriteResult<CutoverState>;\n  ports.state.writeCutover({",
      ],
      [
        '...(answer ? { idempotency: answer(after) } : {}),\n  });',
        '...(answer ? { idempotency: answer(after) } : {}),\n  }).catch(() => {});',
      ],
    ],
  },
  'claim-without-lock': {
    scene: 'rows',
    notices: /FAIL .*: no key is wrong/,
    file: 'lib/core/table/sql/converge.ts',
    changes: [
      ['LIMIT p_limit FOR UPDATE SKIP LOCKED\n', 'LIMIT p_limit\n'],
      ['    ${lockKeys(flow, unnested)}\n', ''],
    ],
  },
  'epoch-not-compared': {
    scene: 'rows',
    notices: /FAIL .*I9 an old epoch.*/,
    file: 'lib/core/table/sql/names.ts',
    changes: [['IF v_have IS DISTINCT FROM p_epoch THEN', 'IF false THEN']],
  },
};
