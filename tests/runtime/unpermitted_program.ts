/** Starts a bus on what its argument names, and says with which error that ends. */
import { createBus, HeroError, type Store, type Transport } from "../../mod.ts";
import { postgres } from "../../stores/postgres/mod.ts";
import { sqlite } from "../../stores/sqlite/mod.ts";
import { postgresTransport } from "../../transports/postgres/mod.ts";
import { rabbitmq } from "../../transports/rabbitmq/mod.ts";
import { sqliteTransport } from "../../transports/sqlite/mod.ts";
import process from "node:process";

const database = "postgres://postgres@127.0.0.1:1/orders"; // nobody listens there
const plugins: Readonly<
  Record<string, () => { readonly store: Store<unknown> } | { readonly transport: Transport }>
> = {
  "sqlite store": () => ({ store: sqlite("orders.db") }),
  "sqlite transport": () => ({ transport: sqliteTransport("queues.db") }),
  "postgres store": () => ({ store: postgres(database) }),
  "postgres transport": () => ({ transport: postgresTransport(database) }),
  "rabbitmq transport": () => ({ transport: rabbitmq("amqp://127.0.0.1:1") }),
};
const made = plugins[process.argv[2] ?? ""]?.();
if (made === undefined) throw new Error(`There is no ${process.argv[2]}`);

const bus = createBus({ name: "orders", ...made });
bus.endpoint("orders", { outbox: true });
try {
  await bus.start();
} catch (error) {
  console.log(error instanceof HeroError ? `${error.code}: ${error.message}` : String(error));
}
