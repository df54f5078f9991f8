/**
 * Flags, published for functions that have no way to AppConfig. One look, level-triggered: what it does not finish is done by the next.
 *   1. Reads that the states do not allow any more leave, whether a function asks for that or not.
 *   2. What was asked for is published, since Postgres is prepared for it; but never more reads on a shadow than the states allow.
 *   3. What is deployed then is written down, and only then is anybody answered.
 * The requests are read first: the states are then at least as new as the ones that they follow from.
 */

import { CrossfadeError } from '../../core/base/errors.ts';
import { type CutoverDeclaration, initialState } from '../../core/cutover/cutover.ts';
import { type FlagDocument, flagDocument, sameDocument } from '../../core/routing/flags.ts';
import type { FlagAnswer, FlagRequest, FlagRequests } from '../../ports/flag-requests.ts';
import type { Ports } from '../../ports/ports.ts';
import { type Deployed, lowerReads, newer, takesAway } from '../control/deployed-flags.ts';

export type PublishPorts = Pick<Ports, 'flags' | 'state' | 'log' | 'realNow'> & { flagRequests: FlagRequests };

/**
 * @param known what was deployed at an earlier look: AppConfig is asked again only when there is something to do
 * @returns what is deployed
 * @throws CrossfadeError `flags_unavailable`, `store_unavailable`
 */
export async function publishFlags(
  ports: PublishPorts,
  declarations: readonly CutoverDeclaration[],
  known: Deployed | null = null,
): Promise<Deployed> {
  const requests = await ports.flagRequests.open();
  const desiredOver = await desiredFlags(ports, declarations);
  if (known?.document && requests.length === 0 && !takesAway(known.document, desiredOver(known))) return known;
  const found = await ports.flags.deployed();
  const desired = desiredOver(found);
  let deployed = (await lowerReads(ports, desired, found)) ?? found;
  const answers: [id: string, answer: FlagAnswer][] = [];
  for (const request of requests) {
    const answer = await serve(ports, request, desired, deployed);
    answers.push([request.id, answer]);
    if (answer.kind === 'published') deployed = { document: request.document, latestVersion: answer.version };
  }
  await ports.flagRequests.note({ ...deployed, atMs: ports.realNow() });
  await Promise.all(answers.map(([id, answer]) => ports.flagRequests.answer(id, answer)));
  return deployed;
}

/** What the states say, over what is deployed. A state that cannot be read says nothing, and its flag stays. */
async function desiredFlags({ state }: Pick<Ports, 'state'>, declarations: readonly CutoverDeclaration[]) {
  const [system, all] = await Promise.all([state.readSystem(), state.readAll()]);
  const stored = new Map(all.map((one) => [one.id, one]));
  const declared = declarations.flatMap((declaration) => {
    const state = stored.get(declaration.id) ?? initialState(declaration);
    return 'invalid' in state ? [] : [{ declaration, state }];
  });
  return ({ document }: Deployed): FlagDocument =>
    flagDocument(declared, system, (id) => document?.cutovers[id]?.primary_read_only ?? false);
}

async function serve(
  ports: PublishPorts,
  { document, urgent, untilMs }: FlagRequest,
  desired: FlagDocument,
  { document: there, latestVersion }: Deployed,
): Promise<FlagAnswer> {
  if (there && sameDocument(there, document)) return { kind: 'published', version: latestVersion };
  if (takesAway(document, desired))
    return { kind: 'conflict', why: 'Readers have been taken off a shadow since this was asked for.' };
  if (there && newer(there, document))
    return { kind: 'conflict', why: 'Newer flags are deployed than were asked for.' };
  const deadlineMs = untilMs - ports.realNow();
  try {
    return await ports.flags.publish({ document, latestVersion, urgent, deadlineMs });
  } catch (error) {
    if (error instanceof CrossfadeError && error.code === 'flags_too_large')
      return { kind: 'too_large', why: error.message };
    throw error;
  }
}
