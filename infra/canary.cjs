/**
 * Releases of the functions that applications call, a tenth of the calls first, taken back by their alarms. Plugin of the framework: it gives a function
 * its version under a name that follows from its contents, and the alias beside it is made here, since no file could know that name.
 *
 * With the parameter `canary` each of them has an alias `live`, which the API calls. CloudFormation asks CodeDeploy to move it, and takes the whole release
 * back where an alarm rings meanwhile. Functions that use the schema of the database are not among them: two releases of them would ask for two schemas.
 */

const FUNCTIONS = ['route', 'outcomes', 'gateway'];
/** Of infra/metrics.json. One that rings already keeps a release from beginning. */
const ALARMS = ['ApiFailures', 'FlagsInvalidSeen'];
const ALIAS = 'live';

const capital = (name) => name[0].toUpperCase() + name.slice(1);
const arnOf = (name) => `arn:\${AWS::Partition}:lambda:\${AWS::Region}:\${AWS::AccountId}:function:${name}`;

class Canary {
  constructor({ service }) {
    this.hooks = {
      'before:package:finalize': () => {
        const { canary } = service.custom.settings;
        if (canary)
          addCanary(service.provider.compiledCloudFormationTemplate.Resources, service.provider.stage, canary);
      },
    };
  }
}

function addCanary(resources, stage, canary) {
  const application = {
    CanaryApplication: { Type: 'AWS::CodeDeploy::Application', Properties: { ComputePlatform: 'Lambda' } },
  };
  Object.assign(resources, application, { CanaryRole: roleOf(stage) });
  for (const name of FUNCTIONS) aliased(resources, name, canary);
}

function aliased(resources, name, canary) {
  const own = capital(name);
  const [version] = Object.entries(resources).find(
    ([, { Type, Properties }]) =>
      Type === 'AWS::Lambda::Version' && Properties.FunctionName.Ref === `${own}LambdaFunction`,
  );
  // The one before goes when the alias has left it.
  delete resources[version].DeletionPolicy;
  resources[`${own}Canary`] = groupOf(canary);
  resources[`${own}Alias`] = {
    Type: 'AWS::Lambda::Alias',
    UpdatePolicy: {
      CodeDeployLambdaAliasUpdate: {
        ApplicationName: { Ref: 'CanaryApplication' },
        DeploymentGroupName: { Ref: `${own}Canary` },
      },
    },
    Properties: {
      FunctionName: { Ref: `${own}LambdaFunction` },
      FunctionVersion: { 'Fn::GetAtt': [version, 'Version'] },
      Name: ALIAS,
    },
  };
  // That of the function stays, for the day on which the parameter is taken away.
  resources[`${own}AliasPermission`] = {
    Type: 'AWS::Lambda::Permission',
    Properties: { ...resources[`${own}LambdaPermissionHttpApi`].Properties, FunctionName: { Ref: `${own}Alias` } },
  };
  const integration = resources[`HttpApiIntegration${own}`];
  integration.Properties.IntegrationUri = { Ref: `${own}Alias` };
  integration.DependsOn = `${own}AliasPermission`;
}

const groupOf = (canary) => ({
  Type: 'AWS::CodeDeploy::DeploymentGroup',
  Properties: {
    ApplicationName: { Ref: 'CanaryApplication' },
    ServiceRoleArn: { 'Fn::GetAtt': ['CanaryRole', 'Arn'] },
    DeploymentConfigName: `CodeDeployDefault.${canary}`,
    DeploymentStyle: { DeploymentType: 'BLUE_GREEN', DeploymentOption: 'WITH_TRAFFIC_CONTROL' },
    AlarmConfiguration: { Enabled: true, Alarms: ALARMS.map((Ref) => ({ Name: { Ref } })) },
    AutoRollbackConfiguration: {
      Enabled: true,
      Events: ['DEPLOYMENT_FAILURE', 'DEPLOYMENT_STOP_ON_ALARM', 'DEPLOYMENT_STOP_ON_REQUEST'],
    },
  },
});

const roleOf = (stage) => ({
  Type: 'AWS::IAM::Role',
  Properties: {
    AssumeRolePolicyDocument: {
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { Service: 'codedeploy.amazonaws.com' }, Action: 'sts:AssumeRole' }],
    },
    Policies: [
      {
        PolicyName: 'canary',
        PolicyDocument: {
          Version: '2012-10-17',
          Statement: [
            {
              Sid: 'MoveAliases',
              Effect: 'Allow',
              Action: ['lambda:GetAlias', 'lambda:UpdateAlias', 'lambda:GetProvisionedConcurrencyConfig'],
              Resource: FUNCTIONS.map((name) => `crossfade-${stage}-${name}`).flatMap((name) => [
                { 'Fn::Sub': arnOf(name) },
                { 'Fn::Sub': arnOf(`${name}:${ALIAS}`) },
              ]),
            },
            // It has no narrower resource.
            { Sid: 'SeeAlarms', Effect: 'Allow', Action: ['cloudwatch:DescribeAlarms'], Resource: '*' },
          ],
        },
      },
    ],
  },
});

module.exports = Canary;
