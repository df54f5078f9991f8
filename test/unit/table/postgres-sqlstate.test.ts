import { describe, expect, it } from 'vitest';
import { classify, DEADLINE } from '../../../lib/adapters/postgres/connection/failures.ts';
import { classOfCode } from '../../../lib/adapters/postgres/connection/sqlstate.ts';

describe('the class of a failure', () => {
  it.each([
    ['connection', '08000 08003 08006 08P01 57P01 57P02 57P03 57P05 25P03 25P04 25006'],
    ['connection', 'CONNECT_TIMEOUT CONNECTION_CLOSED CONNECTION_DESTROYED CONNECTION_ENDED'],
    ['connection', 'ECONNRESET ECONNREFUSED EPIPE ETIMEDOUT ENOTFOUND'],
    ['busy', '40001 40P01 55P03 57014 53300'],
    ['full', '53100 53200'],
    ['denied', '42501'],
    ['login', '28000 28P01'],
    ['untrusted', 'ERR_TLS_CERT_ALTNAME_INVALID CERT_HAS_EXPIRED CERT_NOT_YET_VALID DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['untrusted', 'SELF_SIGNED_CERT_IN_CHAIN UNABLE_TO_VERIFY_LEAF_SIGNATURE UNABLE_TO_GET_ISSUER_CERT_LOCALLY'],
    ['schema', '42P01 42703 42883 3F000'],
    ['missing_database', '3D000 57P04'],
    ['stale', 'CF001'],
    ['other', '22012 22P02 23505 P0001 XX000 CF002 UNDEFINED_VALUE'],
  ] as const)('is %s for %s', (failure, codes) => {
    for (const code of codes.split(' ')) expect([code, classOfCode(code)]).toEqual([code, failure]);
  });

  it('is a lost connection for a passed deadline and for a TypeError out of the driver', () => {
    expect(classify(DEADLINE)).toBe('connection');
    expect(classify(new TypeError("Cannot read properties of null (reading 'write')"))).toBe('connection');
    expect(classify(new Error('anything else'))).toBe('other');
  });
});
