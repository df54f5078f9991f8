/**
 * What cannot be deployed, all of it at once: a stage with a name that resources cannot have, parameters that are missing, unknown or
 * unlike what they must be, and some that contradict each other. Asked by `crossfade deploy` for the file of a stage, and by
 * infra/settings.cjs for what the framework was given. Nothing is looked up over the network.
 */

const { connectionFaults } = require('./connections.cjs');
const { meantBy } = require('./near-names.cjs');
const { PARAMETERS } = require('./parameters.cjs');
const { APPCONFIG_LAYERS, partitionOf, WITHOUT_FUNCTION_URLS } = require('./regions.cjs');

/** As the names of resources take it. */
const STAGE = /^[a-z][a-z0-9-]{0,19}$/;
/** Alarms of stage `prod` begin so, and those of `prod-throttles` would have their names. */
const TAKEN_ENDING = /-(forwards|throttles)$/;
/** Of addresses that AWS gives, and of ARNs. */
const HOST_OF_RDS = /\.([a-z]{2}(?:-[a-z]+)+-\d)\.rds\.amazonaws\.com(?:\.cn)?$/;
/** Up to the last @ before the host: a password may hold one, and `/`, too. */
const PASSWORD = /(:\/\/[^:@/\s]*):[^\s]*@/;
const LOOPBACK = /^(localhost|127\.[\d.]+|0\.0\.0\.0)$/;
const REGION = /^[a-z]{2}(-[a-z]+)+-\d$/;
const ACCOUNT = /^arn:aws[a-z-]*:[a-z]+:[a-z0-9-]*:(\d{12}):/;
const ARN = /^arn:(aws[a-z-]*):[a-z]+:([a-z0-9-]+):/;

const DATABASES = [
  ['databaseUrl', 'databaseUser'],
  ['ownerDatabaseUrl', 'ownerDatabaseUser'],
];
const ABOUT_TOKENS = ['jwtAudience', 'jwks', 'jwksUrl', 'jwtScopeClaims', 'jwtScopePrefix', 'gatewayTokenHeader'];
/** infra/settings.cjs gives them. */
const OWN_TAGS = ['service', 'owner', 'data-class'];
/** What can only be of the account of the stage. */
const OF_THE_ACCOUNT = ['alarmArns', 'kmsKeyArn', 'permissionsBoundary'];
/** AWS takes 50 of a resource, and some are of our own. */
const MOST_TAGS = 45;
const OF_THE_REGION = ['alertWebhookKeyArn', 'alarmArns', 'checkKeyArn', 'appConfigLayer', 'kmsKeyArn'];

/**
 * @param given texts by name; an empty one counts as not given
 * @param at stage and region
 * @returns a line for each problem; the name of the parameter comes first
 */
module.exports.problemsOf = (given, at) => {
  const values = wholeOf(given);
  const alone = Object.keys(PARAMETERS).flatMap((name) => wrongAlone(name, given[name] ?? ''));
  const named = new Set(alone.map(({ name }) => name));
  const together = CONTRADICTIONS.filter(({ about }) => !about.some((name) => named.has(name))).flatMap(({ find }) =>
    find(values, at),
  );
  return [
    ...when(!STAGE.test(at.stage) || at.stage === 'local', [stageProblem(at.stage)]),
    ...when(TAKEN_ENDING.test(at.stage), [
      `stage is '${at.stage}': its alarms would be called like those of stage '${at.stage.replace(TAKEN_ENDING, '')}'. Example: prod`,
    ]),
    ...when(!REGION.test(at.region), [
      `region is '${short(at.region)}': a region of AWS, without the letter of a zone. Example: eu-central-1`,
    ]),
    ...Object.keys(given).flatMap((name) => (name in PARAMETERS ? [] : [unknownParameter(name)])),
    ...alone.map(({ line }) => line),
    ...together,
  ];
};

/** With the default of each that is not given. */
function wholeOf(given) {
  return Object.fromEntries(
    Object.entries(PARAMETERS).map(([name, { default: fallback = '' }]) => [name, given[name] || fallback]),
  );
}
module.exports.wholeOf = wholeOf;

function unknownParameter(name) {
  const meant = meantBy(name, Object.keys(PARAMETERS));
  return `${short(name)} is no parameter.${meant === null ? '' : ` Did you mean ${meant}?`}`;
}

const stageProblem = (stage) =>
  `stage is '${short(stage)}': lower-case letters, digits and -, a letter first, at most 20, and not 'local', which is this machine. Example: prod`;

function wrongAlone(name, value) {
  const { required, pattern, meaning, example } = PARAMETERS[name];
  if (value === '' && !required) return [];
  if (value !== '' && new RegExp(pattern, 'su').test(value) && isReadable(value)) return [];
  const seen = value === '' ? 'is missing' : `is '${short(value)}'`;
  const password = PASSWORD.test(value) ? ' It holds a password: leave it out.' : '';
  return [{ name, line: `${name} ${seen}: ${meaning}.${password} Example: ${example}` }];
}

/** An address has a pattern, and must be one: with a port that there is, and nothing spelled out that stands for no letter. */
function isReadable(value) {
  if (!/^[a-z]+:\/\//.test(value)) return true;
  try {
    return decodeURIComponent(new URL(value).username) !== null;
  } catch {
    return false;
  }
}

/** Without what may be secret, no longer than a line, and nothing in it that cannot be seen. */
function short(value) {
  const shown = value
    .replaceAll(new RegExp(PASSWORD, 'g'), '$1:…@')
    .replaceAll(/[\p{C}\p{Zl}\p{Zp}]/gu, (one) => `\\u{${one.codePointAt(0).toString(16)}}`);
  return shown.length > 100 ? `${shown.slice(0, 100)}…` : shown;
}

// ------------------------------------------------------------------------------------------------------ together

/** `about`: left out where one of these is wrong by itself. `find` gives a line for each contradiction. */
const CONTRADICTIONS = [
  ...DATABASES.map(([url, user]) => ({
    about: [url, user, 'databasePort', 'databaseResourceId'],
    find: (values, { region }) => loginProblems(url, user, values, region),
  })),
  {
    about: ['databaseUrl', 'ownerDatabaseUrl', 'databaseUser', 'ownerDatabaseUser'],
    find: ({ databaseUrl, ownerDatabaseUrl, databaseUser, ownerDatabaseUser }) => [
      ...when(new URL(databaseUrl).pathname !== new URL(ownerDatabaseUrl).pathname, [
        `ownerDatabaseUrl leads to database '${new URL(ownerDatabaseUrl).pathname.slice(1)}', and databaseUrl to '${new URL(databaseUrl).pathname.slice(1)}'. Both roles work in the same one.`,
      ]),
      ...when(databaseUser === ownerDatabaseUser, [
        `ownerDatabaseUser is '${ownerDatabaseUser}', and so is databaseUser. Every function would own the tables: give two roles, such as ${PARAMETERS.databaseUser.example} and ${PARAMETERS.ownerDatabaseUser.example}.`,
      ]),
    ],
  },
  ...[
    ['connections', 'addresses', connectionFaults],
    ['tags', 'texts', tagFaults],
  ].map(([name, of, find]) => ({
    about: [name],
    find: ({ [name]: text }) => (text === '' ? [] : mappingProblems(name, text, of, find)),
  })),
  {
    about: ['permissionsBoundary'],
    find: ({ permissionsBoundary: arn }, { region }) =>
      when(arn && arn.split(':')[1] !== partitionOf(region), [
        `permissionsBoundary is of ${arn.split(':')[1]}: ${arn}. The stage is of ${partitionOf(region)} in ${region}.`,
      ]),
  },
  ...['subnetIds', 'routeTableIds', 'alarmArns'].map((name) => ({
    about: [name],
    find: ({ [name]: text }) => twice(listed(text)).map((one) => `${name} names ${one} twice.`),
  })),
  {
    about: ['jwtIssuer'],
    find: (values) => (values.jwtIssuer ? issuerProblems(values) : tokenProblems(values)),
  },
  { about: ['jwks'], find: ({ jwks }) => (jwks === '' ? [] : keyProblems(jwks)) },
  {
    about: ['alertWebhookUrl', 'alertWebhookKeyArn'],
    find: ({ alertWebhookUrl: url, alertWebhookKeyArn: arn }) => [
      ...when(url && !arn, [missing('alertWebhookKeyArn', 'alertWebhookUrl')]),
      ...when(arn && !url, [missing('alertWebhookUrl', 'alertWebhookKeyArn')]),
    ],
  },
  {
    about: ['alertWebhookUrl', 'alertWebhookForm'],
    find: ({ alertWebhookUrl: url, alertWebhookForm: form }) =>
      when(!url && form !== PARAMETERS.alertWebhookForm.default, [missing('alertWebhookUrl', 'alertWebhookForm')]),
  },
  {
    about: ['breakGlassMfa', 'breakGlassPrincipal'],
    // Without MFA and without a name everybody whom the account lets assume roles could stop everything.
    find: ({ breakGlassMfa, breakGlassPrincipal }) =>
      when(breakGlassMfa === 'false' && !breakGlassPrincipal, [missing('breakGlassPrincipal', 'breakGlassMfa=false')]),
  },
  {
    about: ['databaseInstance', 'databaseMaxConnections'],
    find: ({ databaseInstance, databaseMaxConnections }) =>
      when(!databaseInstance && databaseMaxConnections !== PARAMETERS.databaseMaxConnections.default, [
        missing('databaseInstance', 'databaseMaxConnections'),
      ]),
  },
  {
    about: OF_THE_ACCOUNT,
    find: (values) => {
      const [first, ...others] = OF_THE_ACCOUNT.flatMap((name) =>
        listed(values[name]).flatMap((arn) => (ACCOUNT.test(arn) ? [[name, ACCOUNT.exec(arn)[1]]] : [])),
      );
      return others.flatMap(([name, account]) =>
        when(account !== first[1], [
          `${name} is of account ${account}, and ${first[0]} of ${first[1]}. A stage is in one account.`,
        ]),
      );
    },
  },
  ...OF_THE_REGION.map((name) => ({
    about: [name],
    find: ({ [name]: text }, { region }) =>
      listed(text).flatMap((arn) => {
        const [, partition, place] = ARN.exec(arn) ?? [];
        if (partition === undefined || (place === region && partition === partitionOf(region))) return [];
        return [`${name} is of ${partition} in ${place}: ${arn}. The stage is of ${partitionOf(region)} in ${region}.`];
      }),
  })),
  {
    about: ['appConfigLayer'],
    find: ({ appConfigLayer }, { region }) =>
      when(!appConfigLayer && REGION.test(region) && !(region in APPCONFIG_LAYERS), [
        `appConfigLayer is missing: no AppConfig agent layer is pinned for ${region}. Example: arn:${partitionOf(region)}:lambda:${region}:123456789012:layer:AWS-AppConfig-Extension-Arm64:1`,
      ]),
  },
  {
    about: ['gatewayUrl'],
    find: ({ gatewayUrl }, { region }) =>
      when(gatewayUrl === 'true' && WITHOUT_FUNCTION_URLS.includes(region), [
        `gatewayUrl is true, and CloudFormation makes no function URLs in ${region}. Leave it out: the gateway has its address behind the API.`,
      ]),
  },
];

const when = (wrong, lines) => (wrong ? lines : []);
const missing = (name, because) =>
  `${name} is missing, and ${because} is given: ${PARAMETERS[name].meaning}. Example: ${PARAMETERS[name].example}`;

/** Tokens are granted for these users, and the network is open for this port: with others no login is possible. */
function loginProblems(name, user, values, region) {
  const { username, port, hostname } = new URL(values[name]);
  const [, place = region] = HOST_OF_RDS.exec(hostname) ?? [];
  const proxy = hostname.includes('.proxy-');
  const id = values.databaseResourceId;
  return [
    ...when(decodeURIComponent(username) !== values[user], [
      `${name} logs in as '${username}', and ${user} is '${values[user]}'. Give both the same.`,
    ]),
    ...when((port || '5432') !== values.databasePort, [
      `${name} uses port ${port || '5432'}, and databasePort is ${values.databasePort}. Give both the same.`,
    ]),
    ...when(LOOPBACK.test(hostname), [
      `${name} leads to ${hostname}, which is another machine for each function. Give the address that the database has in its VPC.`,
    ]),
    ...when(hostname.includes('.cluster-ro-'), [
      `${name} leads to the readers of a cluster: ${hostname}. Give the address of its writer, without -ro.`,
    ]),
    ...when(place !== region, [
      `${name} leads to ${place}, and the stage is in ${region}. Functions are beside the database.`,
    ]),
    ...when(HOST_OF_RDS.test(hostname) && proxy !== id.startsWith('prx-'), [
      `databaseResourceId is '${id}', and ${name} leads to ${proxy ? 'a proxy: give prx-… of it' : 'no proxy: give db-… or cluster-…'}.`,
    ]),
  ];
}

/** @param find of a mapping that is given as JSON a phrase for each fault */
function mappingProblems(name, text, of, find) {
  const wrong = (why) =>
    `${name} is '${short(text)}', and ${why}: ${PARAMETERS[name].meaning}. Example: ${PARAMETERS[name].example}`;
  const given = parsed(text);
  if (given === null || typeof given !== 'object' || Array.isArray(given))
    return [wrong(`it is no JSON of names and ${of}`)];
  return find(given).map(wrong);
}

function tagFaults(given) {
  const tag = new RegExp(PARAMETERS.owner.pattern, 'u');
  const count = Object.keys(given).length;
  if (count > MOST_TAGS) return [`it has ${count} tags, more than ${MOST_TAGS}`];
  return Object.entries(given).flatMap(([name, value]) => {
    if (OWN_TAGS.includes(name)) return [`'${name}' is a tag of our own`];
    const fits =
      typeof value === 'string' && tag.test(value) && tag.test(name) && name.length <= 128 && !/^aws:/i.test(name);
    return fits ? [] : [`'${short(name)}' is no tag that AWS takes, with a text`];
  });
}

const issuerProblems = (values) => [
  ...['jwtAudience', 'jwks'].flatMap((name) => (values[name] ? [] : [missing(name, 'jwtIssuer')])),
  ...when(values.jwtIssuer.includes('/.well-known/'), [
    `jwtIssuer is the address of a document: ${values.jwtIssuer}. Give what stands before /.well-known, as in the \`iss\` of its tokens. Example: ${PARAMETERS.jwtIssuer.example}`,
  ]),
];

const tokenProblems = (values) =>
  ABOUT_TOKENS.filter((name) => values[name] !== (PARAMETERS[name].default ?? '')).map(
    (name) =>
      `${name} is about tokens, and jwtIssuer is missing: give it, too, or leave both out, and callers sign with IAM. Example: ${PARAMETERS.jwtIssuer.example}`,
  );

function keyProblems(text) {
  const { keys } = parsed(text) ?? {};
  const wrong = (why) => [`jwks ${why}: ${PARAMETERS.jwks.meaning}. Example: ${PARAMETERS.jwks.example}`];
  if (!Array.isArray(keys)) return wrong('is no JWKS document');
  return keys.some((key) => key?.d !== undefined || key?.k !== undefined) ? wrong('holds a private key') : [];
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Of a list with commas; none of an empty text. */
function listed(text) {
  return text === '' ? [] : text.split(',').map((entry) => entry.trim());
}
module.exports.listed = listed;

const twice = (list) => [...new Set(list.filter((one, at) => list.indexOf(one) !== at))];
