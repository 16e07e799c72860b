/** From payloads to typed events: one translation for each kind that has an event of its own. */
import type { Sender } from "@hero/messaging";
import { z } from "zod";
import {
  IssueChanged,
  PullRequestChanged,
  Pushed,
  ReleaseChanged,
  StarsChanged,
  WebhookReceived,
} from "./contracts.ts";

/** Publishes what a payload says. It takes a `Sender`: a bus is one, and so is every handler's context. */
export type Translation = (received: WebhookReceived, payload: unknown, sender: Sender) => Promise<void>;
/** By kind. */
export type Translations = Readonly<Record<string, Translation>>;

const push = z.object({ ref: z.string(), commits: z.array(z.unknown()) });
const issue = z.object({ issue: z.object({ number: z.number(), title: z.string(), body: z.string() }) });
const pullRequest = z.object({ pull_request: z.object({ number: z.number(), merged: z.boolean().optional() }) });
const release = z.object({ release: z.object({ tag_name: z.string() }) });
const star = z.object({ repository: z.object({ stargazers_count: z.number() }) });

/** The first version. It has a bug: it believes that every issue has a text. */
export const firstTranslations: Translations = {
  push: (received, payload, sender) => {
    const { ref, commits } = push.parse(payload);
    return sender.publish(Pushed, { ...received, ref, commits: commits.length });
  },
  issues: (received, payload, sender) => {
    const { number, title, body } = issue.parse(payload).issue;
    return sender.publish(IssueChanged, { ...received, number, title, excerpt: body.slice(0, 80) });
  },
  pull_request: (received, payload, sender) => {
    const { number, merged = false } = pullRequest.parse(payload).pull_request;
    return sender.publish(PullRequestChanged, { ...received, number, merged });
  },
  release: (received, payload, sender) => {
    return sender.publish(ReleaseChanged, { ...received, tag: release.parse(payload).release.tag_name });
  },
  star: (received, payload, sender) => {
    return sender.publish(StarsChanged, { ...received, stars: star.parse(payload).repository.stargazers_count });
  },
};

const anyIssue = z.object({ issue: issue.shape.issue.extend({ body: z.string().nullable() }) });

/** The second version: an issue may have no text. */
export const fixedTranslations: Translations = {
  ...firstTranslations,
  issues: (received, payload, sender) => {
    const { number, title, body } = anyIssue.parse(payload).issue;
    return sender.publish(IssueChanged, { ...received, number, title, excerpt: (body ?? "").slice(0, 80) });
  },
};

/** For kinds without an event of their own: the base itself. */
export function publishAsBase(received: WebhookReceived, _payload: unknown, sender: Sender): Promise<void> {
  return sender.publish(WebhookReceived, received);
}
