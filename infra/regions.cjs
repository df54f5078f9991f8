/** What differs between the regions of AWS. */

/** AppConfig agent 2.0.17054 for arm64. The account and the layer's number differ by region. */
module.exports.APPCONFIG_LAYERS = {
  'us-east-1': '027255383542:layer:AWS-AppConfig-Extension-Arm64:254',
  'us-east-2': '728743619870:layer:AWS-AppConfig-Extension-Arm64:229',
  'us-west-1': '958113053741:layer:AWS-AppConfig-Extension-Arm64:272',
  'us-west-2': '359756378197:layer:AWS-AppConfig-Extension-Arm64:275',
  'ca-central-1': '039592058896:layer:AWS-AppConfig-Extension-Arm64:182',
  'eu-central-1': '066940009817:layer:AWS-AppConfig-Extension-Arm64:238',
  'eu-central-2': '758369105281:layer:AWS-AppConfig-Extension-Arm64:178',
  'eu-west-1': '434848589818:layer:AWS-AppConfig-Extension-Arm64:241',
  'eu-west-2': '282860088358:layer:AWS-AppConfig-Extension-Arm64:194',
  'eu-west-3': '493207061005:layer:AWS-AppConfig-Extension-Arm64:192',
  'eu-north-1': '646970417810:layer:AWS-AppConfig-Extension-Arm64:226',
  'eu-south-1': '203683718741:layer:AWS-AppConfig-Extension-Arm64:177',
  'ap-northeast-1': '980059726660:layer:AWS-AppConfig-Extension-Arm64:225',
  'ap-northeast-2': '826293736237:layer:AWS-AppConfig-Extension-Arm64:181',
  'ap-southeast-1': '421114256042:layer:AWS-AppConfig-Extension-Arm64:210',
  'ap-southeast-2': '080788657173:layer:AWS-AppConfig-Extension-Arm64:256',
  'ap-south-1': '554480029851:layer:AWS-AppConfig-Extension-Arm64:232',
  'sa-east-1': '000010852771:layer:AWS-AppConfig-Extension-Arm64:215',
};

/** Regions where CloudFormation has no such type: test/helpers/resource-types.ts has the source. */
module.exports.WITHOUT_BUDGETS = ['eu-north-1', 'eu-south-1', 'eu-central-2'];
module.exports.WITHOUT_FUNCTION_URLS = ['eu-central-2'];

/** The part of AWS that a region belongs to, as ARNs name it. */
module.exports.partitionOf = (region) => {
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
};
