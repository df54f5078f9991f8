/** What requests of DynamoDB and AppConfig do, in the words of IAM: action, and what it touches. */

/**
 * One thing that a request does. `keys`: values of the partition key, all that it touches; of AppConfig, where there is no table, the
 * resources. `by`: who did it, where more than one is recorded.
 */
export type Deed = { action: string; table: string | null; keys: readonly string[]; by?: string };

type Value = { S?: string };
type Body = {
  TableName?: string;
  Key?: Record<string, Value>;
  Item?: Record<string, Value>;
  KeyConditionExpression?: string;
  ExpressionAttributeValues?: Record<string, Value>;
  ExpressionAttributeNames?: Record<string, string>;
  RequestItems?: Record<string, { Keys?: Record<string, Value>[] }>;
  TransactItems?: Record<string, Body>[];
  Statement?: string;
  Parameters?: Value[];
};

const PARTITION = ['pk', 'id'];
const keyOf = (item: Record<string, Value> = {}): string[] =>
  PARTITION.flatMap((name) => (item[name]?.S === undefined ? [] : [item[name].S])).slice(0, 1);

const TRANSACTED: Readonly<Record<string, string>> = {
  Put: 'PutItem',
  Update: 'UpdateItem',
  Delete: 'DeleteItem',
  ConditionCheck: 'ConditionCheckItem',
  Get: 'GetItem',
};

/** @param operation as in the header `x-amz-target`, or method and path */
export function deedsOf(operation: string, text: string, ids?: FlagIds): Deed[] {
  if (operation.includes('/')) return [flagDeedOf(operation, text, ids)];
  const body = JSON.parse(text) as Body;
  const one = (action: string, { TableName = '', Key, Item }: Body): Deed => ({
    action,
    table: TableName,
    keys: keyOf(Key ?? Item),
  });
  if (body.TransactItems)
    return body.TransactItems.flatMap((item) =>
      Object.entries(item).map(([kind, inner]) => one(TRANSACTED[kind] ?? kind, inner)),
    );
  if (body.RequestItems)
    return Object.entries(body.RequestItems).map(([table, { Keys = [] }]) => ({
      action: operation,
      table,
      keys: Keys.flatMap(keyOf),
    }));
  if (operation === 'ExecuteStatement') {
    const partitions = /WHERE "?(?:pk|id)"? (?:IN \[([?, ]+)\]|= (\?))/.exec(body.Statement ?? '');
    const count = (partitions?.[1] ?? partitions?.[2] ?? '').split('?').length - 1;
    const table = /FROM "([^"]+)"/.exec(body.Statement ?? '')?.[1] ?? '';
    return [{ action: 'PartiQLSelect', table, keys: (body.Parameters ?? []).slice(0, count).map(({ S = '' }) => S) }];
  }
  if (operation === 'Query') {
    const [, name = '', value = ''] = /(#?\w+) = (:\w+)/.exec(body.KeyConditionExpression ?? '') ?? [];
    const attribute = body.ExpressionAttributeNames?.[name] ?? name;
    const key = PARTITION.includes(attribute) ? body.ExpressionAttributeValues?.[value]?.S : undefined;
    return [{ action: operation, table: body.TableName ?? '', keys: key === undefined ? [] : [key] }];
  }
  return [one(operation, body)];
}

/** Ids of a run, by what the template calls them. */
type FlagIds = Readonly<Record<'application' | 'environment' | 'profile' | 'strategy', string>>;

const VERSIONS = 'configurationprofile/P/hostedconfigurationversion';
/** By method and path: the action, and the resources in the application that it needs a right for, as the service authorization reference has it. */
const FLAG_REQUESTS: readonly [request: RegExp, action: string, resources: readonly string[]][] = [
  [/^POST .*\/hostedconfigurationversions$/, 'CreateHostedConfigurationVersion', ['configurationprofile/P']],
  [/^GET .*\/hostedconfigurationversions$/, 'ListHostedConfigurationVersions', ['configurationprofile/P']],
  [
    /^GET .*\/hostedconfigurationversions\/\d+$/,
    'GetHostedConfigurationVersion',
    ['configurationprofile/P', `${VERSIONS}/1`],
  ],
  [
    /^DELETE .*\/hostedconfigurationversions\/\d+$/,
    'DeleteHostedConfigurationVersion',
    ['configurationprofile/P', `${VERSIONS}/1`],
  ],
  [
    /^POST .*\/deployments$/,
    'StartDeployment',
    ['configurationprofile/P', 'environment/E', 'environment/E/deployment/1', 'S'],
  ],
  [/^GET .*\/deployments$/, 'ListDeployments', ['environment/E']],
  [/^GET .*\/deployments\/\d+$/, 'GetDeployment', ['environment/E', 'environment/E/deployment/1']],
  [/^DELETE .*\/deployments\/\d+$/, 'StopDeployment', ['environment/E', 'environment/E/deployment/1']],
  [/^GET .*\/environments$/, 'ListEnvironments', []],
  [/^GET .*\/configurationprofiles$/, 'ListConfigurationProfiles', []],
];
/** Lists of an account: there is no narrower resource. */
const ACCOUNT_LISTS: Readonly<Record<string, string>> = {
  'GET /applications': 'ListApplications',
  'GET /deploymentstrategies': 'ListDeploymentStrategies',
};

function flagDeedOf(operation: string, text: string, ids?: FlagIds): Deed {
  const request = operation.split('?')[0]!;
  if (ACCOUNT_LISTS[request]) return { action: ACCOUNT_LISTS[request], table: null, keys: ['*'] };
  const given = text.startsWith('{') ? (JSON.parse(text) as Record<string, string>) : {};
  /** The template's name for what is ours, and no name for anything else. */
  const named = (name: string, id: string | undefined) =>
    id === ids?.[name.toLowerCase() as keyof FlagIds] ? `\${Flags${name}}` : String(id);
  const part = (collection: string) => new RegExp(`/${collection}/([^/]+)`).exec(request)?.[1];
  const application = `application/${named('Application', part('applications'))}`;
  const profile = named('Profile', part('configurationprofiles') ?? given.ConfigurationProfileId);
  const environment = named('Environment', part('environments'));
  const [, action = request, resources = []] = FLAG_REQUESTS.find(([pattern]) => pattern.test(request)) ?? [];
  const keys = resources.map((one) =>
    one === 'S'
      ? `deploymentstrategy/${named('Strategy', given.DeploymentStrategyId)}`
      : `${application}/${one.replace('/P', `/${profile}`).replace('/E', `/${environment}`)}`,
  );
  return { action, table: null, keys: [application, ...keys] };
}

/** What functions have asked for, each under its name, as test/helpers/asked-requests.mjs tells of it. */
export type DeedBook = { deeds: readonly Deed[]; note(by: string, operation: string, body: string): void };

/** @param ids of the flags, where requests of AppConfig are told of, too */
export function deedBook(ids?: FlagIds): DeedBook {
  const deeds: Deed[] = [];
  const note: DeedBook['note'] = (by, operation, body) =>
    void deeds.push(...deedsOf(operation, body, ids).map((deed) => ({ ...deed, by })));
  return { deeds, note };
}

/** Each kind of deed once: an hour's requests have a few hundred. */
export function distinctDeeds(deeds: readonly Deed[]): Deed[] {
  return [...new Map(deeds.map((deed) => [JSON.stringify(deed), deed])).values()];
}
