/** Deletes what is stored of the flags: a profile that has a version cannot be deleted, and the stack could not go. */

import { CrossfadeError } from '../../core/base/errors.ts';
import { appConfigCalls, type Target } from './calls.ts';
import { sentenceOf } from './failures.ts';

/** How many there were. @throws CrossfadeError `flags_unavailable`; what was deleted until then is gone, and a repetition goes on */
export async function deleteVersions(target: Target): Promise<number> {
  const calls = appConfigCalls(target);
  const failed = (what: string, failure: Parameters<typeof sentenceOf>[1]) =>
    new CrossfadeError('flags_unavailable', sentenceOf(what, failure), { retryable: true });
  for (let deleted = 0; ; ) {
    const versions = await calls.versions();
    if (!versions.ok) throw failed('list the versions', versions.failure);
    if (versions.value.length === 0) return deleted;
    for (const version of versions.value) {
      const answer = await calls.deleteVersion(version);
      if (!answer.ok && answer.failure.kind !== 'missing') throw failed(`delete version ${version}`, answer.failure);
      deleted += 1;
    }
  }
}
