/** What holds where an organisation gives its own key. */

import { type Packaged, ZURICH_STAGE } from './packaged-template.ts';
import { at, ofType, properties, put, type Rule, same, statementIn, statements } from './template-access.ts';

const GIVEN = ZURICH_STAGE[1].kmsKeyArn;

/** Where each type of resource names its key. */
const KEYS: Readonly<Record<string, string>> = {
  'AWS::DynamoDB::Table': 'SSESpecification.KMSMasterKeyId',
  'AWS::SNS::Topic': 'KmsMasterKeyId',
  'AWS::SQS::Queue': 'KmsMasterKeyId',
  'AWS::Logs::LogGroup': 'KmsKeyId',
};

const uses = (it: Packaged) => [
  ...Object.entries(KEYS).flatMap(([type, path]) =>
    ofType(it, type).map(([id, { Properties }]) => [id, at(Properties, path)] as const),
  ),
  ...statements(it)
    .filter(({ Action }) => Action.some((action) => action.startsWith('kms:')))
    .flatMap(({ role, Resource }) => Resource.map((one) => [role, one] as const)),
];

const says = 'is what everything is encrypted with, and what roles may use; none is made';
const wrong = (it: Packaged) => [
  ...ofType(it, 'AWS::KMS::Key').map(([id]) => `${id} is made`),
  ...uses(it).flatMap(([id, key]) => (same(key, GIVEN) ? [] : [`${id}: ${JSON.stringify(key)}`])),
  // The stack would not come to be.
  ...(JSON.stringify(it.resources).includes('["DataKey","Arn"]') ? ['DataKey is named'] : []),
];
const area = 'a key that is given';

export const KEY_RULES: readonly Rule[] = [
  { area, says, wrong, break: (it) => put(properties(it, 'StateTable'), 'SSESpecification', { SSEEnabled: true }) },
  { area, says: `${says}, logs too`, wrong, break: (it) => delete properties(it, 'TickLogGroup').KmsKeyId },
  {
    area,
    says: `${says}, by its name`,
    wrong,
    break: (it) => put(statementIn(it, 'TickRole', 'DataKey'), 'Resource', '*'),
  },
];
