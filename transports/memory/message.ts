/** A message in a queue. @module */
import type { Address, Delivery } from "../../src/spi/transport.ts";
import type { Frame } from "../../src/spi/frame.ts";

/** What a queue keeps of a message, whichever attempt it is. */
export interface Contents {
  readonly frame: Frame;
  readonly key: string | undefined;
  readonly via: Address;
  readonly priority: number;
  readonly expiresAt: number | undefined;
}

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
  /** Of the heap that it is in. */
  index = -1;
  /** Whoever has it unsettled. */
  owner: object | undefined = undefined;
  /** Its neighbours among those of its owner. */
  earlier: Message | undefined = undefined;
  later: Message | undefined = undefined;

  constructor(contents: Contents, position: number, deliveryCount: number) {
    this.frame = contents.frame;
    this.key = contents.key;
    this.via = contents.via;
    this.deliveryCount = deliveryCount;
    this.priority = contents.priority;
    this.expiresAt = contents.expiresAt;
    this.position = position;
  }
}

/** Whether `a` is to be delivered before `b`: by priority, then as they came. */
export function precedes(a: Message, b: Message): boolean {
  return a.priority === b.priority ? a.position < b.position : a.priority > b.priority;
}
