// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are texts of the files that make the SQL
/** Faults for `--plant`: each is a change of one file, and the scene that must notice it within three minutes. */

import type { Replacement } from '../helpers/replace-once.ts';
import type { SceneName } from './scenes.ts';

export type Plant = { scene: SceneName; file: string; changes: readonly Replacement[] };

export const PLANTS: Readonly<Record<string, Plant>> = {
  'ack-before-commit': {
    scene: 'state',
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
    file: 'lib/core/table/sql/converge.ts',
    changes: [
      ['LIMIT p_limit FOR UPDATE SKIP LOCKED\n', 'LIMIT p_limit\n'],
      ['    ${lockKeys(flow, unnested)}\n', ''],
    ],
  },
  'epoch-not-compared': {
    scene: 'rows',
    file: 'lib/core/table/sql/names.ts',
    changes: [['IF v_have IS DISTINCT FROM p_epoch THEN', 'IF false THEN']],
  },
};
