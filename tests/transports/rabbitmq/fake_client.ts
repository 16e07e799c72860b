/** A client whose connections are made, and end, when a test says so. */
import { EventEmitter } from "node:events";
import type { Client } from "../../../transports/rabbitmq/client.ts";

/** A connection of it; whatever is asked of that waits. */
export class FakeModel extends EventEmitter {
  /** How often its socket was destroyed. */
  cuts = 0;
  readonly connection = { stream: { destroy: (): void => void this.cuts++ } };

  close(): Promise<void> {
    return Promise.resolve();
  }
  createChannel(): Promise<unknown> {
    return new Promise(() => {});
  }
  createConfirmChannel(): Promise<unknown> {
    return new Promise(() => {});
  }
}

/** With what the client was called. */
export type Asked = Readonly<Record<string, unknown>>;

/** @param connect is given with what the client is called, and how often it was */
export function fakeClient(connect: (asked: Asked, attempt: number) => Promise<unknown>): Client {
  let attempts = 0;
  return {
    credentials: {
      plain: (username: string, password: string) => ({ username, password }),
      external: () => ({}),
    },
    connect: (where: object, how: object) => connect({ ...where, ...how }, ++attempts),
  } as unknown as Client; // it calls nothing else
}
