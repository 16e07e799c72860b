/** Subscribers to single kinds: each handler gets the event that it names, with all that is typed in it. */
import type { Bus } from "@hero/messaging";
import { GetActivity, IssueChanged, PullRequestChanged, Pushed, ReleaseChanged, StarsChanged } from "./contracts.ts";
import { once } from "./once.ts";
import { countOne, mostFirst } from "./read_model.ts";

/** The name of their endpoint. */
export const activity = "activity";

/** Adds them to a bus. */
export function addActivity(bus: Bus): void {
  const events = new Map<string, number>();
  const issues = new Set<string>();
  const merged = new Set<string>();
  const releases = new Set<string>();
  let commits = 0;

  bus.endpoint(activity)
    .use(once())
    .use(async (ctx, next) => {
      await next();
      countOne(events, ctx.contract.name); // only what was handled
    })
    .handle(Pushed, (push) => {
      commits += push.commits;
    })
    .handle(IssueChanged, ({ repository, number }) => void issues.add(`${repository}#${number}`))
    .handle(PullRequestChanged, ({ repository, number, merged: isMerged }) => {
      if (isMerged) merged.add(`${repository}#${number}`);
    })
    .handle(ReleaseChanged, ({ repository, tag }) => void releases.add(`${repository}@${tag}`))
    .handle(StarsChanged, () => {});

  bus.endpoint("activity-queries").handle(GetActivity, () => ({
    events: mostFirst(events),
    commits,
    issues: issues.size,
    merged: merged.size,
    releases: releases.size,
  }));
}
