/** Diagrams of a saga, drawn from its definition. @module */
import { finalState, initialState, type SagaDefinition } from "./definition.ts";
import { describe, type SagaDescription, type TransitionDescription } from "./description.ts";

/**
 * A state diagram in Mermaid's language, which GitHub and others draw. States within a state are drawn within it.
 * @see https://mermaid.js.org/syntax/stateDiagram.html
 */
export function toMermaid(definition: SagaDefinition): string {
  const description = describe(definition);
  const ids = idsOf(description);
  const idOf = (state: string) => ids.get(state) ?? "[*]";
  const lines = ["stateDiagram-v2"];
  const draw = (parent: string | undefined, indent: string) => {
    for (const { name, parent: within } of description.states) {
      if (within !== parent || !ids.has(name)) continue;
      lines.push(`${indent}state "${plain(label(name))}" as ${idOf(name)}`);
      if (!description.states.some((each) => each.parent === name)) continue;
      lines.push(`${indent}state ${idOf(name)} {`);
      draw(name, `${indent}  `);
      lines.push(`${indent}}`);
    }
  };
  draw(undefined, "  ");
  for (const { from, to, texts } of bundled(description)) {
    lines.push(`  ${idOf(from)} --> ${idOf(to)}: ${texts.map(plain).join(", ")}`);
  }
  return `${lines.join("\n")}\n`;
}

/**
 * A directed graph in Graphviz' language.
 * @see https://graphviz.org/doc/info/lang.html
 */
export function toGraphviz(definition: SagaDefinition): string {
  const description = describe(definition);
  const lines = [`digraph ${quoted(description.name)} {`, "  rankdir=LR;", "  node [shape=box, style=rounded];"];
  for (const { name } of description.states) {
    const shape = name === initialState
      ? ' [shape=circle, label="", style=filled, fillcolor=black, width=0.2]'
      : name === finalState
      ? ' [shape=doublecircle, label="", style=filled, fillcolor=black, width=0.15]'
      : "";
    lines.push(`  ${quoted(name)}${shape};`);
  }
  for (const { from, to, texts } of bundled(description)) {
    lines.push(`  ${quoted(from)} -> ${quoted(to)} [label=${quoted(texts.join("\n"))}];`);
  }
  lines.push("}");
  return `${lines.join("\n")}\n`;
}

/** One arrow from each state to each other, with all that it stands for. */
function bundled(
  { transitions }: SagaDescription,
): readonly { readonly from: string; readonly to: string; readonly texts: readonly string[] }[] {
  const arrows = new Map<string, { from: string; to: string; texts: string[] }>();
  for (const transition of transitions) {
    const { from, to } = transition;
    const id = JSON.stringify([from, to]);
    const arrow = arrows.get(id);
    if (arrow === undefined) arrows.set(id, { from, to, texts: [textOf(transition)] });
    else arrow.texts.push(textOf(transition));
  }
  return [...arrows.values()];
}

function textOf({ on, filtered }: TransitionDescription): string {
  return filtered ? `${on} [if]` : on;
}

/** The last part of a name: what it is within is drawn around it. */
function label(state: string): string {
  return state.slice(state.lastIndexOf(".") + 1);
}

/** What Mermaid knows a state by: of letters and digits, each another. The initial and the final one have a sign. */
function idsOf({ states }: SagaDescription): ReadonlyMap<string, string> {
  const ids = new Map<string, string>();
  for (const [place, { name }] of states.entries()) {
    if (name !== initialState && name !== finalState) {
      ids.set(name, `s${place}_${name.replaceAll(/[^A-Za-z0-9]/g, "_")}`);
    }
  }
  return ids;
}

/** As a text in quotes, for Graphviz. */
function quoted(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}

/** As a text for Mermaid, which ends with its line or quotes, and knows entities, but no escapes. */
function plain(text: string): string {
  return text.replaceAll(/[#;:<>{}"]/g, (sign) => `#${sign.charCodeAt(0)};`).replaceAll(/\s+/g, " ");
}
