/** What a webhook for alerts may speak: our own signed document, or what a service of others takes. */

export const WEBHOOK_FORMS = ['crossfade', 'slack', 'teams', 'pagerduty'] as const;
export type WebhookForm = (typeof WEBHOOK_FORMS)[number];
