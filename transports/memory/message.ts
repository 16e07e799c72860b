/** A message in a queue. @module */
import type { Address, Delivery } from "../../src/spi/transport.ts";
import type { Frame } from "../../src/spi/frame.ts";

/** What is put into a queue; an `Outgoing` is such, so that nothing needs to be made of it first. */
export interface Contents {
  readonly frame: Frame;
  readonly key?: string | undefined;
  readonly priority?: number | undefined;
  readonly expiresAt?: number | undefined;
}

/** The number of priorities. */
export const priorities = 256;

/**
 * One attempt at delivering a message from one queue: it waits as itself and is delivered as itself, which saves an
 * object a message. What comes again is another object, so that a settlement of the earlier attempt cannot touch it.
 */
export class Message implements Delivery, Contents {
  readonly frame: Frame;
  readonly key: string | undefined;
  readonly via: Address;
  readonly deliveryCount: number;
  readonly priority: number;
  readonly expiresAt: number | undefined;
  /** Its place in the order of its queue, which it keeps when it comes again. */
  readonly position: number;
  /** Whoever has it unsettled. */
  owner: object | undefined = undefined;
  /** Its neighbours among those of its owner. */
  earlier: Message | undefined = undefined;
  later: Message | undefined = undefined;

  constructor(contents: Contents, via: Address, position: number, deliveryCount: number) {
    this.frame = contents.frame;
    this.key = contents.key;
    this.via = via;
    this.deliveryCount = deliveryCount;
    this.priority = levelOf(contents);
    this.expiresAt = contents.expiresAt;
    this.position = position;
  }
}

/** The priority that a message has in a queue: what is no level is the nearest one. */
export function levelOf({ priority }: Contents): number {
  return priority === undefined ? 0 : Math.min(Math.max(Math.trunc(priority), 0), priorities - 1);
}

/** Whether `a` is to be delivered before `b`: by priority, then as they came. */
export function precedes(a: Message, b: Message): boolean {
  return a.priority === b.priority ? a.position < b.position : a.priority > b.priority;
}
