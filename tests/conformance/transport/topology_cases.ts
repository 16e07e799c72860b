/** Deploying. */
import { assertEquals } from "@std/assert";
import type { Change } from "../../../src/spi/transport.ts";
import { topology, type TransportCase, type Trial } from "./trial.ts";

function wanted(trial: Trial): readonly [readonly string[], Readonly<Record<string, readonly string[]>>] {
  const queues = [trial.name("queue"), trial.name("queue")];
  return [queues, { [trial.name("topic")]: queues, [trial.name("topic")]: [] }];
}

function missing(changes: readonly Change[]): readonly Change[] {
  return changes.filter(({ kind }) => kind !== "extra");
}

export const topologyCases: readonly TransportCase[] = [
  {
    name: "a plan says what would be made, twice the same, and makes nothing",
    async run(trial) {
      const [queues, topics] = wanted(trial);
      const plan = await trial.deploy(queues, topics, "plan");
      assertEquals(await trial.deploy(queues, topics, "plan"), plan);
      const created = plan.filter(({ kind }) => kind === "create").map(({ entity }) => entity);
      for (const queue of queues) assertEquals(created.filter((each) => each === `queue:${queue}`).length, 1);
    },
  },
  {
    name: "a check says the same as a plan",
    async run(trial) {
      const [queues, topics] = wanted(trial);
      const plan = await trial.deploy(queues, topics, "plan");
      assertEquals(await trial.deploy(queues, topics, "check"), plan);
      await trial.deploy(queues, topics, "apply");
      assertEquals(missing(await trial.deploy(queues, topics, "check")), []);
    },
  },
  {
    name: "applied is what was planned, and twice is once",
    async run(trial) {
      const [queues, topics] = wanted(trial);
      const plan = await trial.deploy(queues, topics, "plan");
      assertEquals(missing(await trial.deploy(queues, topics, "apply")), missing(plan));
      assertEquals(missing(await trial.deploy(queues, topics, "apply")), []);
      assertEquals(missing(await trial.deploy(queues, topics, "plan")), []);
    },
  },
  {
    name: "deploying anew keeps what waits",
    async run(trial) {
      const queue = await trial.queue();
      await trial.send(`queue:${queue}`, { text: "kept" });
      await trial.deploy([queue]);
      assertEquals(await trial.left(queue, 1), ["kept"]);
    },
  },
  {
    name: "a binding that is not wanted stays",
    async run(trial) {
      const topic = trial.name("topic");
      const queue = await trial.queue(topic);
      const changes = await trial.deploy([queue], { [topic]: [] });
      for (const { kind, entity } of changes) {
        assertEquals([kind, entity], ["extra", `topic:${topic} -> queue:${queue}`]);
      }
      await trial.send(`topic:${topic}`, { text: "still" });
      const inbox = await trial.receive(queue, { topics: [topic] });
      await trial.came(inbox, 1);
    },
  },
  {
    name: "whoever else subscribes to a topic is no extra",
    async run(trial) {
      const [topic, first, second] = [trial.name("topic"), trial.name("queue"), trial.name("queue")];
      for (const queue of [first, second]) await trial.deploy([queue], { [topic]: [queue] });
      for (const mode of ["plan", "check", "apply"] as const) {
        assertEquals(await trial.deploy([first], { [topic]: [first] }, mode), []);
        assertEquals(await trial.deploy([], { [topic]: [] }, mode), []);
      }
    },
  },
  {
    name: "an instance that subscribes to a topic is no extra, also where the topic's bindings are all known",
    async run(trial) {
      const [topic, queue] = [trial.name("topic"), trial.name("queue")];
      const known = topology([queue], { [topic]: [queue] });
      const owned = { ...known, topics: known.topics.map((each) => ({ ...each, owned: true })) };
      await trial.transport.deploy(owned, "apply");
      await trial.receive(trial.name("instance"), { topics: [topic], lifetime: "instance" });
      assertEquals(await trial.transport.deploy(owned, "check"), []);
    },
  },
  {
    name: "what one transport has deployed, another on the same broker finds",
    async run(trial) {
      const topic = trial.name("topic");
      const queue = await trial.queue(topic);
      const other = await trial.open();
      const inbox = await trial.receive(queue, { topics: [topic], from: other });
      await trial.send(`topic:${topic}`, { text: "a" });
      await trial.came(inbox, 1);
    },
  },
];
