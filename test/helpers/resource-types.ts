/** The types of resources that a deployment is made of. A new one needs a row here, and what the role of a pipeline may do with it: infra/deployer.yml. */

const regional = (service: string, rest: string) => `arn:aws:${service}:eu-central-1:123456789012:${rest}`;
export const OWN = 'crossfade-prod';

/** Of each type of resource: one as it is called, and what must be allowed on it at least. */
export const KINDS: Readonly<Record<string, readonly [arn: string, ...actions: string[]]>> = {
  'AWS::ApiGatewayV2::Api': ['arn:aws:apigateway:eu-central-1::/apis', 'apigateway:POST', 'apigateway:PUT'],
  'AWS::ApiGatewayV2::Authorizer': [
    'arn:aws:apigateway:eu-central-1::/apis/a1/authorizers',
    'apigateway:POST',
    'apigateway:DELETE',
  ],
  'AWS::ApiGatewayV2::Integration': [
    'arn:aws:apigateway:eu-central-1::/apis/a1/integrations',
    'apigateway:POST',
    'apigateway:PATCH',
  ],
  'AWS::ApiGatewayV2::Route': [
    'arn:aws:apigateway:eu-central-1::/apis/a1/routes/r1',
    'apigateway:PATCH',
    'apigateway:DELETE',
  ],
  'AWS::ApiGatewayV2::Stage': [
    'arn:aws:apigateway:eu-central-1::/apis/a1/stages',
    'apigateway:POST',
    'apigateway:PATCH',
  ],
  'AWS::AppConfig::Application': [
    regional('appconfig', 'application/a1'),
    'appconfig:CreateApplication',
    'appconfig:DeleteApplication',
  ],
  'AWS::AppConfig::ConfigurationProfile': [
    regional('appconfig', 'application/a1/configurationprofile/p1'),
    'appconfig:CreateConfigurationProfile',
    'appconfig:DeleteConfigurationProfile',
  ],
  'AWS::AppConfig::DeploymentStrategy': [
    regional('appconfig', 'deploymentstrategy/s1'),
    'appconfig:CreateDeploymentStrategy',
    'appconfig:DeleteDeploymentStrategy',
  ],
  'AWS::AppConfig::Environment': [
    regional('appconfig', 'application/a1/environment/e1'),
    'appconfig:CreateEnvironment',
    'appconfig:DeleteEnvironment',
  ],
  'AWS::AppConfig::HostedConfigurationVersion': [
    regional('appconfig', 'application/a1/configurationprofile/p1'),
    'appconfig:CreateHostedConfigurationVersion',
    'appconfig:DeleteHostedConfigurationVersion',
  ],
  'AWS::Budgets::Budget': [`arn:aws:budgets::123456789012:budget/${OWN}`, 'budgets:ModifyBudget', 'budgets:ViewBudget'],
  'AWS::CloudWatch::Alarm': [
    regional('cloudwatch', `alarm:${OWN}-no-tick`),
    'cloudwatch:PutMetricAlarm',
    'cloudwatch:DeleteAlarms',
  ],
  'AWS::CloudWatch::Dashboard': [
    `arn:aws:cloudwatch::123456789012:dashboard/${OWN}`,
    'cloudwatch:PutDashboard',
    'cloudwatch:DeleteDashboards',
  ],
  'AWS::CodeDeploy::Application': [
    regional('codedeploy', `application:${OWN}-CanaryApplication-1A2B`),
    'codedeploy:CreateApplication',
    'codedeploy:DeleteApplication',
  ],
  'AWS::CodeDeploy::DeploymentGroup': [
    regional('codedeploy', `deploymentgroup:${OWN}-CanaryApplication-1A2B/${OWN}-RouteCanary-3C`),
    'codedeploy:CreateDeploymentGroup',
    'codedeploy:CreateDeployment',
  ],
  'AWS::DynamoDB::Table': [
    regional('dynamodb', `table/${OWN}-state`),
    'dynamodb:CreateTable',
    'dynamodb:UpdateTimeToLive',
    'dynamodb:UpdateContinuousBackups',
  ],
  'AWS::EC2::SecurityGroup': [
    regional('ec2', 'security-group/sg-1'),
    'ec2:CreateSecurityGroup',
    'ec2:AuthorizeSecurityGroupEgress',
    'ec2:DeleteSecurityGroup',
  ],
  'AWS::EC2::SecurityGroupEgress': [
    regional('ec2', 'security-group/sg-1'),
    'ec2:AuthorizeSecurityGroupEgress',
    'ec2:RevokeSecurityGroupEgress',
  ],
  'AWS::EC2::SecurityGroupIngress': [
    regional('ec2', 'security-group/sg-1'),
    'ec2:AuthorizeSecurityGroupIngress',
    'ec2:RevokeSecurityGroupIngress',
  ],
  'AWS::EC2::VPCEndpoint': [regional('ec2', 'vpc-endpoint/vpce-1'), 'ec2:CreateVpcEndpoint', 'ec2:DeleteVpcEndpoints'],
  'AWS::Events::Rule': [
    regional('events', `rule/${OWN}-tick`),
    'events:PutRule',
    'events:PutTargets',
    'events:DeleteRule',
  ],
  'AWS::IAM::Policy': [
    `arn:aws:iam::123456789012:role/${OWN}-TickRole-1A2B`,
    'iam:PutRolePolicy',
    'iam:DeleteRolePolicy',
  ],
  'AWS::IAM::Role': [
    `arn:aws:iam::123456789012:role/${OWN}-TickRole-1A2B`,
    'iam:CreateRole',
    'iam:PutRolePolicy',
    'iam:PassRole',
    'iam:TagRole',
    'iam:PutRolePermissionsBoundary',
    'iam:DeleteRole',
  ],
  'AWS::KMS::Key': [regional('kms', 'key/k1'), 'kms:PutKeyPolicy', 'kms:ScheduleKeyDeletion'],
  'AWS::Lambda::Alias': [
    regional('lambda', `function:${OWN}-route:live`),
    'lambda:CreateAlias',
    'lambda:UpdateAlias',
    'lambda:DeleteAlias',
  ],
  'AWS::Lambda::EventInvokeConfig': [
    regional('lambda', `function:${OWN}-tick`),
    'lambda:PutFunctionEventInvokeConfig',
    'lambda:DeleteFunctionEventInvokeConfig',
  ],
  'AWS::Lambda::EventSourceMapping': [
    regional('lambda', 'event-source-mapping:1'),
    'lambda:CreateEventSourceMapping',
    'lambda:DeleteEventSourceMapping',
    'lambda:GetEventSourceMapping',
  ],
  'AWS::Lambda::Function': [
    regional('lambda', `function:${OWN}-tick`),
    'lambda:CreateFunction',
    'lambda:UpdateFunctionCode',
    'lambda:DeleteFunction',
    'lambda:InvokeFunction',
  ],
  'AWS::Lambda::Permission': [
    regional('lambda', `function:${OWN}-tick`),
    'lambda:AddPermission',
    'lambda:RemovePermission',
  ],
  'AWS::Lambda::Url': [
    regional('lambda', `function:${OWN}-gateway-stream`),
    'lambda:CreateFunctionUrlConfig',
    'lambda:DeleteFunctionUrlConfig',
  ],
  'AWS::Lambda::Version': [regional('lambda', `function:${OWN}-route`), 'lambda:PublishVersion'],
  'AWS::Logs::LogGroup': [
    regional('logs', `log-group:/aws/lambda/${OWN}-tick`),
    'logs:CreateLogGroup',
    'logs:PutRetentionPolicy',
    'logs:DeleteLogGroup',
  ],
  'AWS::S3::Bucket': [
    `arn:aws:s3:::${OWN}-serverlessdeploymentbucket-1a2b`,
    's3:CreateBucket',
    's3:PutObject',
    's3:PutBucketPublicAccessBlock',
  ],
  'AWS::S3::BucketPolicy': [
    `arn:aws:s3:::${OWN}-serverlessdeploymentbucket-1a2b`,
    's3:PutBucketPolicy',
    's3:DeleteBucketPolicy',
  ],
  'AWS::SNS::Subscription': [regional('sns', `${OWN}-alerts`), 'sns:Subscribe', 'sns:Unsubscribe'],
  'AWS::SNS::Topic': [regional('sns', `${OWN}-alerts`), 'sns:CreateTopic', 'sns:DeleteTopic'],
  'AWS::SNS::TopicPolicy': [regional('sns', `${OWN}-alerts`), 'sns:SetTopicAttributes'],
  'AWS::SQS::Queue': [regional('sqs', `${OWN}-dead-letters`), 'sqs:CreateQueue', 'sqs:DeleteQueue'],
  'AWS::SQS::QueuePolicy': [regional('sqs', `${OWN}-dead-letters`), 'sqs:SetQueueAttributes'],
};

/**
 * Where CloudFormation has none of these; all others are in all regions for which a layer is pinned. From the provider schemas that AWS publishes
 * for each region (https://schema.cloudformation.us-east-1.amazonaws.com), as cfn-lint 1.51.0 of 20 May 2026 has them.
 */
export const ABSENT: Readonly<Record<string, readonly string[]>> = {
  'AWS::Budgets::Budget': ['eu-central-2', 'eu-north-1', 'eu-south-1'],
  'AWS::Lambda::Url': ['eu-central-2'],
};
