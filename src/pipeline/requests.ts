/** Requests, as whoever makes them sees them. @module */
import type { Contract } from "../contracts/contract.ts";
import type { Definition } from "../contracts/definition.ts";
import type { Cause } from "./draft.ts";
import type { RequestOptions } from "./sending.ts";

/** A delivery that is held by the requests of its handlers. */
export interface Holder {
  /** How many requests wait for an answer. */
  asking: number;
  /** Of the same key, no other is handled meanwhile. */
  readonly delivery: { readonly key: string | undefined };
}
/** Makes requests and waits for their answers. */
export interface Requests {
  /** @param within `holder`: the delivery whose handler asks; `undefined` outside of handlers */
  request(
    contract: Contract,
    message: unknown,
    options: RequestOptions,
    cause: Cause | undefined,
    within: { readonly holder: Holder | undefined; readonly signal: AbortSignal | undefined },
  ): Promise<unknown>;
  /** The endpoint of this bus that owns the contract. */
  owner(definition: Definition): string | undefined;
}
