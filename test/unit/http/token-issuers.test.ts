/** Access tokens in the shape in which known issuers write them, and which settings take them. Values are made up. */

import { generateKeyPairSync } from 'node:crypto';
import { createLocalJWKSet } from 'jose';
import { describe, expect, it } from 'vitest';
import { authenticate, iamCaller } from '../../../lib/adapters/http/authenticate.ts';
import { signToken } from '../../../lib/adapters/http/sign-token.ts';
import type { Claims, Jwk, TokenRules } from '../../../lib/adapters/http/token.ts';
import { verifier } from '../../../lib/adapters/http/verifier.ts';
import { tokenRules } from '../../../lib/compose/token-rules.ts';
import { codeFrom, NOW } from '../../property/samples.ts';

const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const jwk = (key: 'publicKey' | 'privateKey'): Jwk => ({ ...(pair[key].export({ format: 'jwk' }) as Jwk), kid: 'k' });
const KEYS = createLocalJWKSet({ keys: [jwk('publicKey')] });
const TIMES = { iat: NOW / 1_000, exp: NOW / 1_000 + 3_600 };

type Shape = {
  issuer: string;
  audience: string;
  claims?: string;
  prefix?: string;
  token: Record<string, unknown>;
  /** Of the same issuer, and no access token that grants the scope. */
  other: Record<string, unknown>;
};

const COGNITO = 'https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_AbCdEfGhI';
const ENTRA = 'https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0';
const OKTA = 'https://example.okta.com/oauth2/default';
const KEYCLOAK = 'https://id.example.com/realms/prod';

const SHAPES: Readonly<Record<string, Shape>> = {
  'Cognito, of a client with a resource server': {
    issuer: COGNITO,
    audience: '3n4b5urk1ft4fl3mg5e62d9ado',
    prefix: 'crossfade/',
    token: {
      sub: '3n4b5urk1ft4fl3mg5e62d9ado',
      token_use: 'access',
      scope: 'crossfade/control:read crossfade/control:write',
      auth_time: NOW / 1_000,
      version: 2,
      client_id: '3n4b5urk1ft4fl3mg5e62d9ado',
    },
    other: { token_use: 'access', scope: 'control:read other/control:read', client_id: '3n4b5urk1ft4fl3mg5e62d9ado' },
  },
  'Cognito, of a person by groups': {
    issuer: COGNITO,
    audience: '3n4b5urk1ft4fl3mg5e62d9ado',
    claims: 'cognito:groups',
    token: {
      'cognito:groups': ['control:read', 'people'],
      token_use: 'access',
      scope: 'openid aws.cognito.signin.user.admin',
      client_id: '3n4b5urk1ft4fl3mg5e62d9ado',
      username: 'ada',
    },
    other: { 'cognito:groups': ['control:read'], token_use: 'id', aud: '3n4b5urk1ft4fl3mg5e62d9ado' },
  },
  Auth0: {
    issuer: 'https://example.eu.auth0.com/',
    audience: 'https://crossfade.example.com',
    token: {
      aud: ['https://crossfade.example.com', 'https://example.eu.auth0.com/userinfo'],
      azp: 'my_client_id',
      scope: 'openid profile control:read',
      permissions: ['control:read'],
    },
    other: { aud: 'my_client_id', scope: 'openid' },
  },
  'Auth0, of roles in a claim with an address': {
    issuer: 'https://example.eu.auth0.com/',
    audience: 'https://crossfade.example.com',
    claims: 'https://example.com/roles',
    token: { aud: 'https://crossfade.example.com', 'https://example.com/roles': ['control:read'] },
    other: { aud: 'https://crossfade.example.com', roles: ['control:read'] },
  },
  Okta: {
    issuer: OKTA,
    audience: 'api://crossfade',
    token: { ver: 1, jti: 'AT.x', aud: 'api://crossfade', cid: '0oa1', uid: '00u1', scp: ['control:read', 'openid'] },
    other: { ver: 1, aud: '0oa1', amr: ['pwd'], idp: '00o1' },
  },
  'Entra, on behalf of a person': {
    issuer: ENTRA,
    audience: '6e74172b-be56-4843-9ff4-e66a39bb12e3',
    token: {
      aud: '6e74172b-be56-4843-9ff4-e66a39bb12e3',
      azp: 'client',
      azpacr: '0',
      oid: 'person',
      scp: 'control:read control:write',
      tid: '11111111-2222-3333-4444-555555555555',
      ver: '2.0',
    },
    other: { aud: '00000003-0000-0000-c000-000000000000', scp: 'control:read', ver: '2.0' },
  },
  'Entra, of an application': {
    issuer: ENTRA,
    audience: '6e74172b-be56-4843-9ff4-e66a39bb12e3',
    claims: 'roles',
    token: { aud: '6e74172b-be56-4843-9ff4-e66a39bb12e3', idtyp: 'app', roles: ['control:read'], ver: '2.0' },
    other: { aud: '6e74172b-be56-4843-9ff4-e66a39bb12e3', idtyp: 'app', ver: '2.0' },
  },
  'Keycloak, by client scopes': {
    issuer: KEYCLOAK,
    audience: 'crossfade',
    token: { aud: ['crossfade', 'account'], typ: 'Bearer', azp: 'cli', scope: 'email control:read profile' },
    other: { aud: 'crossfade', typ: 'ID', azp: 'cli', scope: 'control:read' },
  },
  'Keycloak, by roles of the client': {
    issuer: KEYCLOAK,
    audience: 'crossfade',
    claims: 'resource_access.crossfade.roles',
    token: { aud: 'crossfade', typ: 'Bearer', resource_access: { crossfade: { roles: ['control:read'] } } },
    other: { aud: 'crossfade', typ: 'Bearer', resource_access: { account: { roles: ['control:read'] } } },
  },
};

const rulesOf = ({ issuer, audience, claims, prefix }: Shape): TokenRules =>
  tokenRules({
    CROSSFADE_JWT_ISSUER: issuer,
    CROSSFADE_JWT_AUDIENCE: audience,
    CROSSFADE_JWT_SCOPE_CLAIMS: claims,
    CROSSFADE_JWT_SCOPE_PREFIX: prefix,
  });

const ask = (rules: TokenRules, claims: Record<string, unknown>) => {
  const token = signToken(
    { sub: 'ada', iss: rules.issuer, ...TIMES, ...claims } as unknown as Claims,
    jwk('privateKey'),
  );
  return authenticate(`Bearer ${token}`, 'control:read', verifier(KEYS, rules), NOW);
};

describe.each(Object.entries(SHAPES))('a token of %s', (_name, shape) => {
  it('is taken with the settings of its issuer', async () => {
    expect(await ask(rulesOf(shape), shape.token)).toBe(shape.token.sub ?? 'ada');
  });

  it('of another kind is not', async () => {
    expect(await codeFrom(ask(rulesOf(shape), shape.other))).toMatch(/^(unauthenticated|forbidden)$/);
  });

  it('is refused for another audience, and from another issuer', async () => {
    const rules = rulesOf(shape);
    expect(await codeFrom(ask({ ...rules, audience: 'other' }, shape.token))).toBe('unauthenticated');
    expect(await codeFrom(ask(rules, { ...shape.token, iss: 'https://other.example.com' }))).toBe('unauthenticated');
  });
});

describe('a token of Google', () => {
  it('says who somebody is and grants nothing: its holder is told what is missing', async () => {
    const rules = tokenRules({
      CROSSFADE_JWT_ISSUER: 'https://accounts.google.com',
      CROSSFADE_JWT_AUDIENCE: 'crossfade',
    });
    const claims = { aud: 'crossfade', azp: '1', email: 'ada@example.com', email_verified: true, sub: '1077' };
    await expect(ask(rules, claims)).rejects.toMatchObject({ code: 'forbidden', message: /control:read/ });
  });
});

describe('a caller behind IAM', () => {
  it('is whom API Gateway let in; a request that did not come through it is refused', () => {
    const arn = 'arn:aws:sts::123456789012:assumed-role/operators/ada';
    expect(iamCaller({ token: undefined, iamCaller: arn })).toBe(arn);
    expect(() => iamCaller({ token: 'Bearer x', iamCaller: null })).toThrow(/sign their requests with IAM/);
  });
});

describe('an audience', () => {
  it('of the client counts only where the token names no other', async () => {
    const rules = tokenRules({ CROSSFADE_JWT_ISSUER: COGNITO, CROSSFADE_JWT_AUDIENCE: 'crossfade' });
    const granted = { client_id: 'crossfade', scope: 'control:read' };
    expect(await ask(rules, granted)).toBe('ada');
    expect(await codeFrom(ask(rules, { ...granted, aud: 'other' }))).toBe('unauthenticated');
  });
});

describe('a claim that grants scopes', () => {
  it.each([[{ control: true }], [7], [['control:read', 7]]])('is refused as %j', async (scope) => {
    const rules = tokenRules({ CROSSFADE_JWT_ISSUER: OKTA, CROSSFADE_JWT_AUDIENCE: 'crossfade' });
    expect(await codeFrom(ask(rules, { aud: 'crossfade', scope }))).toBe('unauthenticated');
  });
});
