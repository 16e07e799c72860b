/** The application: one bus, its endpoints, and the ledger that watches it. */
import { type Bus, type BusObserver, createBus } from "@hero/messaging";
import type { Transport } from "@hero/messaging/spi";
import { addActivity } from "./activity.ts";
import { addGateway } from "./gateway.ts";
import { Ledger } from "./ledger.ts";
import { addReadModel } from "./read_model.ts";
import { firstTranslations, type Translations } from "./translations.ts";

/** The application, running. */
export interface App extends AsyncDisposable {
  readonly bus: Bus;
  readonly ledger: Ledger;
  /** Replaces the gateway's translations, as a new version of it would. */
  deploy(translations: Translations): void;
}

/** Where its messages move. */
export interface AppOptions {
  /** Left out: in memory. */
  readonly transport?: Transport | undefined;
  /** Before the names of its queues and topics, where others share the broker. */
  readonly prefix?: string;
}

/** A start waits for a broker that is away: else nobody would know for what. */
const told: BusObserver = {
  status: ({ name, state, cause }) => {
    if (state !== "up") console.error(`${name} is ${state}: ${cause?.message}`);
  },
};

/** Starts it, with the first version of the translations. */
export async function startApp({ transport, prefix = "" }: AppOptions = {}): Promise<App> {
  let current = firstTranslations;
  const ledger = new Ledger();
  const bus = createBus({ name: "webhooks", prefix, ...(transport && { transport }) }); // no transport, no store: in memory
  addGateway(bus, () => current);
  addReadModel(bus);
  addActivity(bus);
  bus.observe(ledger);
  bus.observe(told);
  await bus.start();
  return {
    bus,
    ledger,
    deploy: (translations) => {
      current = translations;
    },
    [Symbol.asyncDispose]: () => bus.stop(),
  };
}
