/** The description of the HTTP API, for what makes clients of it. */

import { type Context, type Outcome, openApi } from '../context.ts';
import { printableJson } from '../text.ts';

export async function describeApi(context: Context): Promise<Outcome> {
  const document = await openApi(context).api.get<object>('/v1/openapi.json');
  return { document, text: printableJson(document) };
}
