/** Capture on Postgres: what is generated for a cutover, made and taken away by the owner of the tables. */

import type { Capture } from '../../../ports/capture.ts';
import type { Roles } from '../connection/roles.ts';
import { adopt } from './adopt.ts';
import { arm, disarm, fenced, forget } from './arming.ts';
import { removeShadow } from './remove-shadow.ts';
import { watchShape } from './shape.ts';

export function postgresCapture({ owner }: Pick<Roles, 'owner'>): Capture {
  return {
    arm: (cutover, fence) => arm(owner, cutover, fence),
    watch: async (id, fence) => (await fenced(owner, id, fence, [watchShape(id)])) ?? { kind: 'watched' },
    adopt: (cutover, fence) => adopt(owner, cutover, fence),
    disarm: (id, fence) => disarm(owner, id, fence),
    forget: (id, fence) => forget(owner, id, fence),
    removeShadow: (cutover, fence) => removeShadow(owner, cutover, fence),
  };
}
