/**
 * What an organisation asks of every resource: its tags, a boundary for what roles may ever do, and its key for logs. Plugin of the framework, after all that make resources:
 * whatever is in the template has them, also where another tool deploys it and the tags of the stack are not given.
 */

/** What takes a list of tags. Functions and the API have theirs from the framework; of the rest the tags of the stack are all that there is. */
const TAGGED = new Set([
  'AWS::AppConfig::Application',
  'AWS::AppConfig::ConfigurationProfile',
  'AWS::AppConfig::DeploymentStrategy',
  'AWS::AppConfig::Environment',
  'AWS::CloudWatch::Alarm',
  'AWS::CodeDeploy::Application',
  'AWS::CodeDeploy::DeploymentGroup',
  'AWS::DynamoDB::Table',
  'AWS::EC2::SecurityGroup',
  'AWS::IAM::Role',
  'AWS::KMS::Key',
  'AWS::Logs::LogGroup',
  'AWS::S3::Bucket',
  'AWS::SNS::Topic',
  'AWS::SQS::Queue',
]);

class Organisation {
  constructor({ service }) {
    this.hooks = {
      'after:aws:package:finalize:mergeCustomProviderResources': () => {
        const { tags, permissionsBoundary, kmsKeyArn } = service.custom.settings;
        for (const { Type, Properties } of Object.values(service.provider.compiledCloudFormationTemplate.Resources)) {
          if (TAGGED.has(Type)) Properties.Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
          if (Type === 'AWS::IAM::Role' && permissionsBoundary) Properties.PermissionsBoundary = permissionsBoundary;
          if (Type === 'AWS::Logs::LogGroup' && kmsKeyArn) Properties.KmsKeyId = kmsKeyArn;
        }
      },
    };
  }
}

module.exports = Organisation;
