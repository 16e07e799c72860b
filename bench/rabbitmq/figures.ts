/** The bus over RabbitMQ, beside what a user would write or pick instead. @module */
import { compared, type Figure, type Measure, program, ratio, single } from "../support/figure.ts";
import { peers } from "../peers/mod.ts";
import { broker } from "./broker.ts";

const of = (side: string, quantity: string, type = "classic"): Measure =>
  program(new URL("./run.ts", import.meta.url), [side, quantity, type]);
const rpcOf = (side: string): Measure => program(new URL("./rpc.ts", import.meta.url), [side]);
const over = (name: string, quantity: string): Figure =>
  compared(name, "ms", of("hero", quantity), of("amqplib", quantity), (a, b) => a - b, [broker]);

/** As `bench/README.md` says what each compares. */
export const figures: readonly Figure[] = [
  ratio("rabbitmq/vs-amqplib", of("hero", "rate"), of("amqplib", "rate"), [broker]),
  ratio("rabbitmq/cpu-vs-amqplib", of("hero", "cpu"), of("amqplib", "cpu"), [broker]),
  ratio("rabbitmq/quorum-vs-amqplib", of("hero", "rate", "quorum"), of("amqplib", "rate", "quorum"), [broker]),
  single("rabbitmq/cpu-us", "us", of("hero", "cpu"), [broker]),
  ratio("rabbitmq/vs-nestjs", of("hero", "rate"), of("nestjs", "rate"), [broker, peers]),
  ratio("rabbitmq/cpu-vs-nestjs", of("hero", "cpu"), of("nestjs", "cpu"), [broker, peers]),
  over("rabbitmq/p50-over-raw-ms", "p50"),
  over("rabbitmq/p99-over-raw-ms", "p99"),
  ratio("rabbitmq/rpc-vs-amqplib", rpcOf("hero"), rpcOf("amqplib"), [broker]),
  // One run is some minutes.
  { ...single("rabbitmq/heap-growth-mb", "MB", of("hero", "growth"), [broker]), runs: 3 },
];
