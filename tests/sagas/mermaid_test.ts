/** Diagrams for Mermaid, read by Mermaid itself. */
import { assertEquals, assertRejects } from "@std/assert";
import purify from "dompurify";
import mermaid from "mermaid";
import { event, saga, type } from "../../mod.ts";
import type { SagaDescription } from "../../src/sagas/description.ts";
import { test } from "../support/runner.ts";
import { OrderSaga } from "./order_saga.ts";

/** A diagram as Mermaid would draw it. */
interface Drawing {
  readonly nodes: readonly { readonly id: string; readonly label?: string; readonly parentId?: string }[];
  readonly edges: readonly { readonly start: string; readonly end: string; readonly label: string }[];
}
interface Diagram {
  readonly db: { getData(): Drawing };
}

// It cleans texts for a browser's page, which there is none of here; what it reads is not about that.
Object.assign(purify, { addHook: () => {}, sanitize: (text: string) => text });

/** Reads a diagram; rejects where Mermaid does not understand it. */
async function read(text: string): Promise<Drawing> {
  await mermaid.parse(text);
  const { db } = await mermaid.mermaidAPI.getDiagramFromText(text) as unknown as Diagram; // of a state diagram
  return db.getData();
}

/** A text as it is shown: while Mermaid reads, entities have signs of their own. */
function shown(text: string): string {
  return text.replaceAll(/ﬂ°°(\d+)¶ß/g, (_, code) => String.fromCharCode(Number(code)));
}

/** What Mermaid has read, by names. */
function drawn({ nodes, edges }: Drawing): { readonly states: readonly string[]; readonly arrows: readonly string[] } {
  const names = new Map<string, string>([["root_start", "initial"], ["root_end", "final"]]);
  const nameOf = (id: string): string => names.get(id) ?? `nothing: ${id}`;
  for (const { id, label = "", parentId } of nodes) {
    if (!names.has(id)) names.set(id, parentId === undefined ? shown(label) : `${nameOf(parentId)}.${shown(label)}`);
  }
  return {
    states: nodes.map(({ id }) => nameOf(id)).toSorted(),
    arrows: edges.map(({ start, end, label }) => `${nameOf(start)} -> ${nameOf(end)}: ${shown(label)}`).toSorted(),
  };
}

/** What it should have read. */
function described({ states, transitions }: SagaDescription): ReturnType<typeof drawn> {
  const texts = new Map<string, string[]>();
  for (const { from, to, on, filtered } of transitions) {
    const arrow = `${from} -> ${to}`;
    texts.set(arrow, [...texts.get(arrow) ?? [], filtered ? `${on} [if]` : on]);
  }
  return {
    states: states.map(({ name }) => name).toSorted(),
    arrows: [...texts].map(([arrow, all]) => `${arrow}: ${all.join(", ")}`).toSorted(),
  };
}

test("Mermaid reads a diagram as it was meant: each state where it is, and each arrow with its text", async () => {
  assertEquals(drawn(await read(OrderSaga.toMermaid())), described(OrderSaga.describe()));
});

test("Mermaid reads a diagram whatever its names are made of", async () => {
  const Odd = event<{ readonly id: string }>("odd.happened");
  const names = [
    'say "no"',
    "back\\slash",
    "<<fork>>",
    "<b>",
    "a: b; c",
    "#35;",
    "{x}",
    "[*]",
    "--> y",
    "%% no comment",
    "end note",
    "état 中",
  ] as const;
  const odd = saga("odd", {
    data: type<object>(),
    states: names,
    events: (on) => ({
      'odd "#1;" {a} <b>: -->': on.start(Odd, (m) => m.id, () => ({})),
    }),
  }, ({ initially, during, when }) => {
    const on = 'odd "#1;" {a} <b>: -->';
    return [
      initially(when(on).transitionTo(names[0])),
      ...names.map((name, at) => {
        const next = names[at + 1];
        return during(name, next === undefined ? when(on).finalize() : when(on).transitionTo(next));
      }),
    ];
  });
  assertEquals(drawn(await read(odd.toMermaid())), described(odd.describe()));
});

test("Mermaid refuses what is no diagram", async () => {
  await assertRejects(() => read("stateDiagram-v2\n  a --> --> b\n"));
});
