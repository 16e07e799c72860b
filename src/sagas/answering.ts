/** Which steps answer whoever asked. @module */
import type { Step } from "./definition.ts";

/** Whether a step, or one in it, answers; an undo does not. */
export function answers(step: Step): boolean {
  return step.kind === "respond" || within(step).some((steps) => steps.some(answers));
}

function within(step: Step): readonly (readonly Step[])[] {
  switch (step.kind) {
    case "branch":
      return [...step.cases.values()];
    case "sequence":
    case "retry":
    case "catch":
      return [step.steps];
    case "request":
      return [step.completed, step.faulted, step.timedOut];
    default:
      return [];
  }
}
