/** A process that is the shop, until its standard input ends. It may be killed at any time, and started again. */
import process from "node:process";
import { at, file } from "./place.ts";
import { startShop } from "./shop.ts";

if (file === undefined) throw new Error("A worker needs to be told the --file of its office");
await at(file, async (database, transport) => {
  const bus = await startShop(database, transport);
  console.log("open");
  for await (const _ of process.stdin);
  await bus.stop();
});
