/** Versions of one profile: stored behind a lock on the latest number, never changed, deleted one by one. */

import { checkFlags, FEATURE_FLAGS } from './feature-flags.ts';
import { headerOf, type Reply, type Request } from './http.ts';
import { badRequest, conflict, notFound, ServiceError } from './service-error.ts';
import type { Application, HostedVersion, Profile, Quotas } from './store.ts';

export function createVersion(profile: Profile, request: Request, quotas: Quotas): HostedVersion {
  const contentType = headerOf(request, 'content-type');
  if (!contentType) throw badRequest('Content-Type is required.');
  checkLock(profile, headerOf(request, 'latest-version-number'));
  if (request.body.length > quotas.versionBytes) {
    throw new ServiceError('PayloadTooLargeException', 'The configuration is too large.', {
      Measure: 'KILOBYTES',
      Limit: quotas.versionBytes / 1024,
      Size: request.body.length / 1024,
    });
  }
  if (profile.type === FEATURE_FLAGS) checkFlags(request.body, contentType);
  const label = headerOf(request, 'versionlabel');
  if (label !== null && profile.versions.some((version) => version.label === label))
    throw badRequest(`The label '${label}' is taken by another version.`);
  profile.lastNumber += 1;
  const version: HostedVersion = {
    number: profile.lastNumber,
    content: request.body,
    contentType,
    description: headerOf(request, 'description'),
    label,
  };
  profile.versions.push(version);
  return version;
}

function checkLock(profile: Profile, lock: string | null): void {
  const latest = profile.versions.at(-1)?.number ?? 0;
  if (lock !== null && Number(lock) !== latest)
    throw conflict(`The latest version of '${profile.name}' is ${latest}, not ${lock}.`);
}

export function versionOf(profile: Profile, number: string): HostedVersion {
  const version = profile.versions.find((one) => String(one.number) === number);
  if (!version) throw notFound('Hosted Configuration Version', number);
  return version;
}

/** Deployments may also name a version by its label. */
export function deployableVersion(profile: Profile, wanted: string): HostedVersion {
  return profile.versions.find(({ label }) => label === wanted) ?? versionOf(profile, wanted);
}

export function deleteVersion(profile: Profile, number: string): void {
  const version = versionOf(profile, number);
  profile.versions = profile.versions.filter((one) => one !== version);
}

/** The raw content, everything else in headers. */
export function versionReply(
  status: number,
  application: Application,
  profile: Profile,
  version: HostedVersion,
): Reply {
  return {
    status,
    headers: {
      'application-id': application.id,
      'configuration-profile-id': profile.id,
      'version-number': String(version.number),
      'content-type': version.contentType,
      ...(version.description === null ? {} : { description: version.description }),
      ...(version.label === null ? {} : { versionlabel: version.label }),
    },
    body: version.content,
  };
}
