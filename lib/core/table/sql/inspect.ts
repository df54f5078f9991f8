/**
 * What people ask of both tables at this moment: figures of a complete comparison, and the two rows of one key with their
 * hashes. Nothing is stored. Each reads both tables and the outbox in one statement, so in one snapshot; VOLATILE, so that
 * the snapshot is taken after the locks and no truncated outbox is read with an older one.
 */

import { quoteName, quoteText } from '../shape.ts';
import { comparedSources, comparedTargets, inForm } from './compared.ts';
import { sourcedByFit } from './fits.ts';
import { equalKeys, sameKey } from './key-operators.ts';
import {
  asSource,
  asTarget,
  asTargetIfFit,
  FENCED,
  type Flow,
  isQuarantined,
  keys,
  keyText,
  keyType,
  objectNames,
  rowValue,
  securely,
  sourceTable,
  targetIs,
  targetTable,
  transformed,
  whenAKeyFails,
} from './names.ts';

const pieces = (flow: Flow) => {
  const { compared, key } = flow.mapping;
  return {
    expressions: comparedSources(flow)
      .map((sql, index) => `, ${sql} AS c${index + 1}`)
      .join(''),
    source: rowValue(compared.map((_, index) => `s.c${index + 1}`)),
    target: rowValue(comparedTargets(flow)),
    targetKey: (index: number) => `t.${quoteName(key[index]!.target.name)}`,
  };
};

/** A key with an un-applied hint is late. After a truncation rows without a source are, until they have been swept. */
const isLate = (flow: Flow, row: string, inSource: string) => {
  const { outbox } = objectNames(flow.id);
  return `(EXISTS (SELECT FROM ${outbox} o WHERE o.op <> 'T' AND ${sameKey(flow, 'o', row)})
      OR (${inSource} IS NULL AND EXISTS (SELECT FROM ${outbox} o WHERE o.op = 'T')))`;
};

/** `consistency_<id>()`: `{source, target, consistent, diverged, late, quarantined}`, numbers of rows and keys. */
export function createConsistency(flow: Flow): string {
  const { consistency } = objectNames(flow.id);
  const { key } = flow.mapping;
  const { expressions, targetKey } = pieces(flow);
  const sourced = `(SELECT true AS present, true AS fits, ${keys(flow, (k, i) => `p.${quoteName(key[i]!.source.name)} AS ${k}`)}${expressions}
      FROM ${sourceTable(flow)} AS p)`;
  const counted = (one: Flow, before: string, rows: string, joined: (k: string, i: number) => string) => `RETURN (
  WITH ${before}pair AS (
    SELECT ${keys(flow, (k, i) => `coalesce(s.${k}, ${asSource(flow, i, targetKey(i))}) AS ${k}`)}, s.present AS in_source,
      ${targetKey(0)} IS NOT NULL AS in_target,
      s.present IS NOT NULL AND ${targetKey(0)} IS NOT NULL AND s.fits AND ${pieces(one).source} *= ${pieces(one).target} AS same
    FROM ${rows} AS s
    FULL JOIN ${targetTable(flow)} AS t ON ${equalKeys(flow, joined, (_, i) => targetKey(i))}
    ${FENCED}
  ), verdict AS (
    SELECT in_source, in_target, same, NOT same AND ${isLate(flow, 'd', 'd.in_source')} AS late,
      NOT same AND ${isQuarantined(flow, (i) => `d.k${i + 1}`)} AS quarantined
    FROM pair d
  )
  SELECT jsonb_build_object('source', count(*) FILTER (WHERE in_source), 'target', count(*) FILTER (WHERE in_target),
    'consistent', count(*) FILTER (WHERE same), 'late', count(*) FILTER (WHERE late AND NOT quarantined),
    'quarantined', count(*) FILTER (WHERE quarantined), 'diverged', count(*) FILTER (WHERE NOT same AND NOT late AND NOT quarantined))
  FROM verdict
);`;
  return `CREATE FUNCTION ${consistency}() RETURNS jsonb
${securely()} AS $crossfade$
#variable_conflict use_column
BEGIN
  ${counted(flow, '', sourced, (k, i) => asTarget(flow, i, `s.${k}`))}
EXCEPTION ${whenAKeyFails()} THEN
  ${inForm(flow, (one) => counted(one, `${sourcedByFit(one, 'true')}, `, 'sourced', (k, i) => asTargetIfFit(one, i, `s.${k}`, 's.fits')))}
END $crossfade$`;
}

/** `record_<id>(key)`: `{key, source, target, equal, columns, late, quarantined}`; source and target are hashes or null. */
export function createCompareRow(flow: Flow): string {
  const { record: name } = objectNames(flow.id);
  const { key } = flow.mapping;
  const names = key.map((pair) => quoteText(pair.source.name));
  const bare = key.length === 1 ? `jsonb_build_object(${names[0]}, p_key)` : 'NULL';
  return `CREATE FUNCTION ${name}(p_key text) RETURNS jsonb
${securely()} AS $crossfade$
#variable_conflict use_column
DECLARE
  v_key jsonb := CASE WHEN p_key ~ '^\\s*\\{' THEN p_key::jsonb ELSE ${bare} END;
BEGIN
  IF v_key IS NULL OR NOT v_key ?& ARRAY[${names.join(', ')}] THEN
    RAISE EXCEPTION 'a key looks like %', ${quoteText(`{${key.map((pair) => `"${pair.source.name}": …`).join(', ')}}`)} USING ERRCODE = 'CF004';
  END IF;
  ${inForm(flow, pairOfKey)}
END $crossfade$`;
}

/** Statement: returns what `record_<id>` says of the key `v_key`. */
function pairOfKey(flow: Flow): string {
  const { key, compared } = flow.mapping;
  const { source, target, targetKey } = pieces(flow);
  const targets = comparedTargets(flow);
  const differing = compared.map(
    ({ target: column }, index) =>
      `CASE WHEN ${rowValue([`s.c${index + 1}`])} *<> ${rowValue([targets[index]!])} THEN ${quoteText(column)} END`,
  );
  return `RETURN (
    SELECT jsonb_build_object('key', ${keyText(flow, (i) => `k.k${i + 1}`)},
      'source', CASE WHEN s.present THEN crossfade.record_hash(${source}) END,
      'target', CASE WHEN ${targetKey(0)} IS NOT NULL THEN crossfade.record_hash(${target}) END,
      'equal', CASE WHEN s.present AND ${targetKey(0)} IS NOT NULL THEN ${source} *= ${target} ELSE s.present IS NULL AND ${targetKey(0)} IS NULL END,
      'columns', CASE WHEN s.present AND ${targetKey(0)} IS NOT NULL THEN to_jsonb(array_remove(ARRAY[${differing.join(', ')}]::text[], NULL)) ELSE '[]' END,
      'late', ${isLate(flow, 'k', 's.present')}, 'quarantined', ${isQuarantined(flow, (i) => `k.k${i + 1}`)})
    FROM (SELECT ${keys(flow, (k, i) => `(v_key ->> ${quoteText(key[i]!.source.name)})::${keyType(key[i]!.source)} AS ${k}`)}) k
    LEFT JOIN ${transformed(flow, 'k', comparedSources(flow))} s ON true
    LEFT JOIN ${targetTable(flow)} AS t ON ${targetIs(flow, 'k')}
  );`;
}
