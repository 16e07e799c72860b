/** What became of the jobs, and whether it balances. */
import { failures, type Fate, idOf, type Job } from "./jobs.ts";
import type { Done, Progress } from "./ledger.ts";

/** What was found when all was over. */
export interface Found {
  readonly done: readonly Done[];
  /** Ids of messages in the error queue. */
  readonly givenUp: readonly string[];
  readonly left: Pick<Progress, "waiting" | "active" | "delayed">;
}

function counted<Key>(keys: readonly Key[]): Map<Key, number> {
  const counts = new Map<Key, number>();
  for (const key of keys) counts.set(key, (counts.get(key) ?? 0) + 1);
  return counts;
}

/** What is not as it should be, in words; nothing, once all is done. */
export function unbalanced(all: readonly Job[], { done, givenUp, left }: Found): readonly string[] {
  const [doneTimes, givenUpTimes] = [counted(done.map(({ job }) => job)), counted(givenUp)];
  const attempts = new Map(done.map(({ job, attempt }) => [job, attempt]));
  const wrong = all.flatMap(({ job, fate }) => {
    const broken = fate === "broken";
    const [times, given] = [doneTimes.get(job) ?? 0, givenUpTimes.get(idOf(job)) ?? 0];
    const attempt = attempts.get(job);
    return [
      ...(times === (broken ? 0 : 1) ? [] : [`job ${job} is ${fate}, and was done ${times} times`]),
      ...(given === (broken ? 1 : 0) ? [] : [`job ${job} is ${fate}, and was given up ${given} times`]),
      ...(attempt === undefined || attempt === failures[fate] + 1
        ? []
        : [`job ${job} is ${fate}, and was done with attempt ${attempt}`]),
    ];
  });
  const known = new Set(all.map(({ job }) => job));
  const foreign = done.filter(({ job }) => !known.has(job)).map(({ job }) => `job ${job} was done, and never sent`);
  const rest = left.waiting + left.active + left.delayed;
  return [...wrong, ...foreign, ...(rest === 0 ? [] : [`${rest} messages are still in the queue`])];
}

/** The final table. */
export function table(all: readonly Job[], { done, givenUp }: Found): string {
  const [doneTimes, givenUpTimes] = [counted(done.map(({ job }) => job)), counted(givenUp)];
  const line = (name: string, jobs: readonly Job[]): string => {
    const sum = (times: (job: number) => number): number => jobs.reduce((total, { job }) => total + times(job), 0);
    const cells = [jobs.length, sum((job) => doneTimes.get(job) ?? 0), sum((job) => givenUpTimes.get(idOf(job)) ?? 0)];
    return name.padEnd(24) + cells.map((cell) => String(cell).padStart(14)).join("");
  };
  const of = (fate: Fate): readonly Job[] => all.filter((job) => job.fate === fate);
  return [
    "".padEnd(24) + ["sent", "done", "error queue"].map((head) => head.padStart(14)).join(""),
    line("at once", of("fine")),
    line("by a retry", of("flaky")),
    line("by a later try", of("stubborn")),
    line("never", of("broken")),
    line("all", all),
  ].join("\n");
}
