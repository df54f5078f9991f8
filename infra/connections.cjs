/**
 * What a deployment gives the databases of shadows that are elsewhere (`shadow.connection`): beside their addresses the way from the
 * functions to the port and in at the door, and the right to log in with IAM tokens. One whose value is an address alone gets none of it:
 * its network and that right are given by hand.
 *
 *   {"new": {"url": "postgres://ROLE@HOST:5432/DATABASE", "securityGroupId": "sg-…", "resourceId": "db-…"}, "other": "postgres://…"}
 */

const { PARAMETERS } = require('./parameters.cjs');

const NAME = /^[a-z][a-z0-9_]{0,39}$/;
/** Each looks like that of the database of the primaries. */
const PARTS = { url: 'databaseUrl', securityGroupId: 'databaseSecurityGroupId', resourceId: 'databaseResourceId' };

/** Functions that ask the database, and the one that migrates it. Those that move rows need the owner of the primary, too: they read the rows themselves. */
const MOVERS = ['ShadowWriterRole', 'BackfillRole', 'VerifyRole'];
const ASKING = ['ControlRole', 'DashboardRole', 'TickRole', 'RelayRole', 'SchemaRole', ...MOVERS];

/** @param given the parameter, read @returns what is wrong with it, a phrase for each */
module.exports.connectionFaults = (given) =>
  Object.entries(given).flatMap(([name, value]) => {
    if (!NAME.test(name)) return [`'${name}' is no name in lower_snake_case of at most 40 characters`];
    const { url = '', ...parts } = partsOf(value);
    return Object.entries({ url, ...parts }).flatMap(([part, text]) => {
      if (!Object.hasOwn(PARTS, part)) return [`'${name}' has a ${part}: known are ${Object.keys(PARTS).join(', ')}`];
      const { pattern, example } = PARAMETERS[PARTS[part]];
      if (typeof text === 'string' && new RegExp(pattern, 'su').test(text)) return [];
      if (part === 'url') return [`'${name}' is no postgres://ROLE@HOST:5432/DATABASE without a password`];
      return [`'${name}' has the ${part} '${text}', and one looks like ${example}`];
    });
  });

/** @param values parameters of a deployment */
module.exports.connectionsOf = (values) => {
  const connections = readConnections(values.connections);
  const addresses = Object.fromEntries(connections.map(({ name, url }) => [name, url.href]));
  return {
    addresses: connections.length === 0 ? '' : JSON.stringify(addresses),
    moversOwnerUrl: connections.length === 0 ? '' : values.ownerDatabaseUrl,
    resources: { Resources: { ...networkOf(connections, values), ...rightsOf(connections, values) } },
  };
};

const partsOf = (value) => (typeof value === 'string' ? { url: value } : (value ?? {}));

const readConnections = (text) =>
  text === ''
    ? []
    : Object.entries(JSON.parse(text)).map(([name, value]) => {
        const { url: address, ...parts } = partsOf(value);
        const url = new URL(address);
        return { name, url, port: Number(url.port || 5432), ...parts };
      });

/** One way for each group and port; that to the database of the primaries is there. */
function networkOf(connections, { databaseSecurityGroupId, databasePort }) {
  const ways = new Set([`${databaseSecurityGroupId} ${databasePort}`]);
  const functions = { 'Fn::GetAtt': ['FunctionSecurityGroup', 'GroupId'] };
  const resources = {};
  for (const { name, port, securityGroupId } of connections) {
    const way = `${securityGroupId} ${port}`;
    if (securityGroupId === undefined || ways.has(way)) continue;
    ways.add(way);
    const ports = { IpProtocol: 'tcp', FromPort: port, ToPort: port };
    resources[`Connection${idOf(name)}Egress`] = {
      Type: 'AWS::EC2::SecurityGroupEgress',
      Properties: {
        Description: 'Postgres',
        GroupId: functions,
        ...ports,
        DestinationSecurityGroupId: securityGroupId,
      },
    };
    resources[`Connection${idOf(name)}Ingress`] = {
      Type: 'AWS::EC2::SecurityGroupIngress',
      Properties: {
        Description: 'Crossfade functions',
        GroupId: securityGroupId,
        ...ports,
        SourceSecurityGroupId: functions,
      },
    };
  }
  return resources;
}

/** Ids have letters and digits alone. No name has a capital, so no two are one id. */
const idOf = (name) => name.replaceAll('_', 'U').replace(/^./, (letter) => letter.toUpperCase());

function rightsOf(connections, { databaseResourceId, ownerDatabaseUser }) {
  if (connections.length === 0) return {};
  const users = connections.flatMap(({ url, resourceId }) =>
    resourceId === undefined ? [] : [userArn(resourceId, decodeURIComponent(url.username))],
  );
  return {
    ...(users.length === 0 ? {} : { ConnectionUsers: policyOf('connections', ASKING, 'Connections', users) }),
    MoversOwner: policyOf('movers-owner', MOVERS, 'OwnerDatabase', [userArn(databaseResourceId, ownerDatabaseUser)]),
  };
}

const userArn = (resourceId, user) => ({
  'Fn::Sub': `arn:\${AWS::Partition}:rds-db:\${AWS::Region}:\${AWS::AccountId}:dbuser:${resourceId}/${user}`,
});

const policyOf = (name, roles, sid, resources) => ({
  Type: 'AWS::IAM::Policy',
  Properties: {
    PolicyName: name,
    Roles: roles.map((Ref) => ({ Ref })),
    PolicyDocument: {
      Version: '2012-10-17',
      Statement: [{ Sid: sid, Effect: 'Allow', Action: ['rds-db:connect'], Resource: resources }],
    },
  },
});
