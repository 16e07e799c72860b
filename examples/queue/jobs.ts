/** What there is to do, and how it goes. */
import { command } from "@hero/messaging";

/** How often a job fails before it is done; `Infinity`: always. */
export type Fate = "fine" | "flaky" | "stubborn" | "broken";
export const failures: Readonly<Record<Fate, number>> = { fine: 0, flaky: 1, stubborn: 2, broken: Infinity };

export interface Job {
  readonly job: number;
  readonly fate: Fate;
}
/** A picture that is to be made smaller, say. */
export const Resize = command<Job>("pictures.resize");

/** Where the jobs wait, and where those lie that were given up. */
export const queue = "pictures";
export const errorQueue = "pictures_error";

/** A job's message has always the same id: sent twice, it has its effect once. */
export function idOf(job: number): string {
  return `job ${job}`;
}

/** So many. Of a hundred, six fail once, four twice, and two always. */
export function jobs(count: number): readonly Job[] {
  return Array.from({ length: count }, (_, job) => {
    const at = job * 37 % 100; // mixed
    return { job, fate: at < 2 ? "broken" : at < 6 ? "stubborn" : at < 12 ? "flaky" : "fine" };
  });
}
