import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ConfigurationError } from "../../src/errors/configuration.ts";
import { notPermitted } from "../../src/errors/not_permitted.ts";
import { test } from "../support/runner.ts";

test("what a runtime does not permit is an error of configuration, in its own words; nothing else is", () => {
  const deno = Object.assign(new Error('Requires net access to "host:1"'), { name: "NotCapable" });
  const node = Object.assign(new Error("Access to this API has been restricted"), { code: "ERR_ACCESS_DENIED" });
  const name = Object.assign(new Error("getaddrinfo EPERM host"), { code: "EPERM", syscall: "getaddrinfo" });
  for (const cause of [deno, node, name]) {
    const error = notPermitted(cause, `RabbitMQ at "host:1"`, "--allow-net");
    assert(error instanceof ConfigurationError);
    assertStringIncludes(error.message, `Cannot use RabbitMQ at "host:1": `);
    assertStringIncludes(error.message, `${cause.message}. On Deno, all that it does there takes --allow-net`);
    assertEquals(error.cause, cause);
  }
  const refused = Object.assign(new Error("connect ECONNREFUSED"), { code: "ECONNREFUSED" });
  const file = Object.assign(new Error("EPERM: operation not permitted"), { code: "EPERM", syscall: "open" });
  for (const other of [refused, file, "NotCapable", undefined]) assertEquals(notPermitted(other, "a", "b"), undefined);
});
