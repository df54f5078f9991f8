/**
 * Who may call the API. Without parameters IAM: API Gateway checks the signature of each request and the caller's rights on its
 * route (`execute-api:Invoke`), so no identity provider is needed. With `jwtIssuer` tokens of that issuer, whose scopes API Gateway
 * checks, and the functions once more.
 */

const SCOPES = {
  route: 'route:read',
  report: 'outcomes:write',
  record: 'copies:write',
  read: 'control:read',
  write: 'control:write',
  complete: 'control:complete',
  cleanup: 'control:cleanup',
  stop: 'control:stop',
  values: 'rows:read',
  gateway: 'gateway:call',
};
/** Claims in which API Gateway looks for scopes. What others grant the functions alone can tell. */
const CLAIMS_OF_API_GATEWAY = ['scope', 'scp'];
/** Of a key nothing else is needed; certificates make half of what some issuers publish. */
const PARTS_OF_KEY = ['kty', 'kid', 'use', 'alg', 'n', 'e', 'crv', 'x', 'y'];
/** @returns authorizers, that of each kind of route, and what the functions must know */
module.exports.accessOf = (values) => (values.jwtIssuer ? byTokens(values) : byIam());

const byIam = () => ({
  authorizers: {},
  routes: eachScope(() => ({ type: 'aws_iam' })),
  environment: { CROSSFADE_ACCESS: 'iam' },
});

function byTokens(values) {
  const { jwtIssuer: issuerUrl, jwtAudience, jwksUrl, jwtScopeClaims, jwtScopePrefix, gatewayTokenHeader } = values;
  const checked = jwtScopeClaims.split(',').every((name) => name === '' || CLAIMS_OF_API_GATEWAY.includes(name));
  const authorizer = (header) => ({
    type: 'jwt',
    identitySource: `$request.header.${header}`,
    issuerUrl,
    audience: [jwtAudience],
  });
  return {
    // Of the gateway: where services take Authorization for themselves, the token comes in another header.
    authorizers: { tokens: authorizer('Authorization'), callers: authorizer(gatewayTokenHeader) },
    routes: eachScope((scope) => ({
      name: scope === SCOPES.gateway ? 'callers' : 'tokens',
      ...(checked ? { scopes: [`${jwtScopePrefix}${scope}`] } : {}),
    })),
    environment: {
      CROSSFADE_JWT_ISSUER: issuerUrl,
      CROSSFADE_JWT_AUDIENCE: jwtAudience,
      CROSSFADE_JWKS: slimKeys(values.jwks),
      ...(jwksUrl ? { CROSSFADE_JWKS_URL: jwksUrl } : {}),
      ...(jwtScopeClaims ? { CROSSFADE_JWT_SCOPE_CLAIMS: jwtScopeClaims } : {}),
      ...(jwtScopePrefix ? { CROSSFADE_JWT_SCOPE_PREFIX: jwtScopePrefix } : {}),
    },
  };
}

const eachScope = (make) => Object.fromEntries(Object.entries(SCOPES).map(([name, scope]) => [name, make(scope)]));

function slimKeys(text) {
  const slim = JSON.parse(text)
    .keys.filter((key) => key?.use !== 'enc')
    .map((key) => Object.fromEntries(PARTS_OF_KEY.flatMap((part) => (key?.[part] ? [[part, key[part]]] : []))));
  return JSON.stringify({ keys: slim });
}

// ------------------------------------------------------------------------------------------------------------- size

/** What Lambda takes for the names and values of all variables of a function. */
const MAX_BYTES = 4096;
/** What is known at deployment only: ids of AppConfig, ARNs. */
const UNKNOWN_BYTES = 100;

/** @throws Error naming the longest of them @param variables all of one function */
module.exports.refuseTooLarge = (name, variables) => {
  const sizes = Object.entries(variables)
    .map(([variable, value]) => [variable, variable.length + bytesOf(value)])
    .sort(([, a], [, b]) => b - a);
  const total = sizes.reduce((sum, [, bytes]) => sum + bytes, 0);
  if (total <= MAX_BYTES) return;
  const [[longest, bytes]] = sizes;
  throw new Error(
    `The environment of function ${name} would have ${total} bytes, and Lambda takes ${MAX_BYTES}. Longest is ${longest} with ${bytes}${
      longest === 'CROSSFADE_JWKS' ? ': give the keys that sign now and no older ones' : ''
    }.`,
  );
};

const bytesOf = (value) => (typeof value === 'string' ? Buffer.byteLength(value) : UNKNOWN_BYTES);
