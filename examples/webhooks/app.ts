/** The application: one bus, its endpoints, and the ledger that watches it. */
import { type Bus, createBus } from "@hero/messaging";
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

/** Starts it, with the first version of the translations. */
export async function startApp(): Promise<App> {
  let current = firstTranslations;
  const ledger = new Ledger();
  const bus = createBus({ name: "webhooks" }); // no transport, no store: in memory
  addGateway(bus, () => current);
  addReadModel(bus);
  addActivity(bus);
  bus.observe(ledger);
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
