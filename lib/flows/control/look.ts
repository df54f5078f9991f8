/** One look at a cutover: collected and judged. Reads only. */

import type { CutoverDeclaration, CutoverState } from '../../core/cutover/cutover.ts';
import { peersOf } from '../../core/holds/cohort.ts';
import { judge, judgeAmong } from '../../core/look/judge.ts';
import type { Judgement } from '../../core/look/snapshot.ts';
import { type Around, type CollectPorts, collect, collectAround, type More } from './collect.ts';

/** @throws CrossfadeError when the state or the windows cannot be read */
export async function look(
  ports: CollectPorts,
  around: Around,
  declaration: CutoverDeclaration,
  more?: More,
): Promise<Judgement> {
  return judge(await collect(ports, around, declaration, more));
}

/** For a command: a cutover in a state that was just read, with what the other members of its cohort have to say. */
export async function lookAmongPeers(
  ports: CollectPorts,
  declarations: readonly CutoverDeclaration[],
  declaration: CutoverDeclaration,
  state: CutoverState,
): Promise<Judgement> {
  const peers = peersOf(declaration, declarations);
  const around = await collectAround(ports, [declaration, ...peers]);
  const [own, ...others] = await Promise.all([
    look(ports, around, declaration, { state }),
    ...peers.map((peer) => look(ports, around, peer)),
  ]);
  return judgeAmong(own, others);
}
