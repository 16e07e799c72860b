/** What becomes of deliveries. @module */
import type { FrameHeaders } from "../../src/spi/frame.ts";
import type { Address, Settlement } from "../../src/spi/transport.ts";
import { Call } from "./call.ts";
import { type Claim, RabbitDelivery } from "./claims.ts";

/** Makes copies; resolves when the broker has them. */
export interface CopyServices {
  /** Into the queue that it came from, at a time (epoch milliseconds). */
  copyLater(delivery: RabbitDelivery, dueAt: number, headers: FrameHeaders): Promise<void>;
  /** To wherever `to` leads. */
  copyTo(delivery: RabbitDelivery, to: Address, headers: FrameHeaders): Promise<void>;
}

/** Whoever handed deliveries out. */
export interface Settling {
  readonly copies: CopyServices;
  /** It is not unsettled any more. */
  settled(delivery: RabbitDelivery): void;
  /** It is to go back. */
  release(delivery: RabbitDelivery, claim: Claim): void;
}

/** Settles, as `Receiver.settle` promises. */
export function settle(batch: readonly Settlement[], settling: Settling): Promise<void> {
  const call = new Call();
  for (const settlement of batch) {
    const { delivery } = settlement;
    if (!(delivery instanceof RabbitDelivery)) continue;
    const { claim } = delivery;
    if (claim?.owner !== settling || claim.delivery !== delivery || claim.state !== "unsettled") continue;
    switch (settlement.outcome) {
      case "accept":
        wait(claim, call);
        claim.claims.accept(claim);
        settling.settled(delivery);
        break;
      case "release":
        wait(claim, call);
        settling.release(delivery, claim);
        break;
      case "again":
        copy(delivery, claim, call, settling, () => {
          return settling.copies.copyLater(delivery, settlement.dueAt, settlement.headers);
        });
        break;
      case "move":
        copy(delivery, claim, call, settling, () => {
          return settling.copies.copyTo(delivery, settlement.to, settlement.headers);
        });
        break;
      default:
        settlement satisfies never;
    }
  }
  call.done();
  return call.promise;
}

function wait(claim: Claim, call: Call): void {
  call.add();
  claim.call = call;
}

/** Accepts it once the broker has the copy. Until then it is unsettled, and it is so again if that fails. */
function copy(
  delivery: RabbitDelivery,
  claim: Claim,
  call: Call,
  settling: Settling,
  make: () => Promise<void>,
): void {
  wait(claim, call);
  claim.state = "copying";
  const made = async () => await make(); // what it throws is a rejection
  made().then(() => {
    if (claim.state !== "copying") return; // lost meanwhile: it comes again
    claim.claims.accept(claim);
    settling.settled(delivery);
  }, (error: Error) => {
    if (claim.state !== "copying") return;
    claim.state = "unsettled";
    claim.call = undefined;
    call.done(error);
  });
}
