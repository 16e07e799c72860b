/** What a saga sends to itself. @module */
import { define, type Definition } from "../../contracts/definition.ts";
import { UnreadableMessageError } from "../../errors/receiving.ts";

/** A message from an instance to itself, in time or after its commit. */
export type Signal =
  & {
    /** The saga's name: several may be on one endpoint. */
    readonly saga: string;
    readonly id: string;
    /** An instance of the same id that is over must not pass its timeouts on. */
    readonly incarnation: string;
    readonly token: string;
  }
  & (
    | { readonly kind: "timeout"; readonly timeout: string }
    | { readonly kind: "timedOut"; readonly requestId: string }
    | { readonly kind: "compensate" }
  );

/** Its contract. It goes to the saga's own queue, and has no topic. */
export const sagaSignal: Definition = define({ kind: "command", name: "saga:signal", local: true }, {
  // Each signal says where it goes; no naming policy is asked where a contract says it.
  to: "queue:saga",
});

/**
 * A signal as it came.
 *
 * @throws {UnreadableMessageError} if it is none
 */
export function toSignal(message: unknown): Signal {
  if (typeof message === "object" && message !== null) {
    const { saga, id, incarnation, token, kind, timeout, requestId }: Partial<Record<string, unknown>> = { ...message };
    const own = { saga, id, incarnation, token };
    if (allText(own)) {
      if (kind === "timeout" && typeof timeout === "string") return { ...own, kind, timeout };
      if (kind === "timedOut" && typeof requestId === "string") return { ...own, kind, requestId };
      if (kind === "compensate") return { ...own, kind };
    }
  }
  throw new UnreadableMessageError("it is no signal of a saga to itself");
}

function allText<Key extends string>(record: Record<Key, unknown>): record is Record<Key, string> {
  return Object.values(record).every((value) => typeof value === "string");
}
