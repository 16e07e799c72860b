/**
 * What is said on the bus: the command that a webhook becomes, the events that follow from it, and the queries.
 *
 * An interface and its contract share a name: one is the type, the other the value.
 */
import { command, type Empty, event, query } from "@hero/messaging";
import { z } from "zod";

const receiveWebhook = z.object({
  deliveryId: z.string().min(1),
  kind: z.string().min(1),
  /** What all kinds share. The rest is kept as it is; `translations.ts` reads it, kind by kind. */
  payload: z.looseObject({
    action: z.string().optional(),
    repository: z.looseObject({ full_name: z.string() }).optional(),
  }),
});
/** Asks the gateway to take a webhook in. The schema holds on both ends: what does not satisfy it is not even sent. */
export type ReceiveWebhook = z.input<typeof receiveWebhook>;
export const ReceiveWebhook = command("webhooks.receive", {
  schema: receiveWebhook,
  /** Webhooks of one repository are handled one after the other, in the order in which they came. */
  key: ({ kind, payload }) => payload.repository?.full_name ?? kind,
});

/** A webhook was taken in: the base of all kinds. Who subscribes to it gets every one of them. */
export interface WebhookReceived {
  deliveryId: string;
  kind: string;
  action: string;
  repository: string;
}
const key = ({ repository }: WebhookReceived): string => repository;
export const WebhookReceived = event<WebhookReceived>("webhooks.received", { key });

/** Commits, or a tag or branch, were pushed. */
export interface Pushed extends WebhookReceived {
  ref: string;
  commits: number;
}
export const Pushed = event<Pushed>("webhooks.pushed", { extends: WebhookReceived, key });

/** Something happened to an issue. */
export interface IssueChanged extends WebhookReceived {
  number: number;
  title: string;
  excerpt: string;
}
export const IssueChanged = event<IssueChanged>("webhooks.issue-changed", { extends: WebhookReceived, key });

/** Something happened to a pull request. */
export interface PullRequestChanged extends WebhookReceived {
  number: number;
  merged: boolean;
}
export const PullRequestChanged = event<PullRequestChanged>("webhooks.pull-request-changed", {
  extends: WebhookReceived,
  key,
});

/** Something happened to a release. */
export interface ReleaseChanged extends WebhookReceived {
  tag: string;
}
export const ReleaseChanged = event<ReleaseChanged>("webhooks.release-changed", { extends: WebhookReceived, key });

/** A repository was starred, or no longer is. */
export interface StarsChanged extends WebhookReceived {
  stars: number;
}
export const StarsChanged = event<StarsChanged>("webhooks.stars-changed", { extends: WebhookReceived, key });

/** How many webhooks there were of a kind, action or repository. */
export interface Count {
  name: string;
  count: number;
}
export const CountWebhooks = query<{ by: "kind" | "action" | "repository" }, { total: number; counts: Count[] }>(
  "webhooks.count",
);

/** What the subscribers to single kinds have seen. */
export interface Activity {
  /** How many events came, by kind. */
  events: Count[];
  commits: number;
  issues: number;
  merged: number;
  releases: number;
}
export const GetActivity = query<Empty, Activity>("webhooks.get-activity");
