import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, test } from "node:test";

/** From the left, which knows nothing of the rest, to the right. ARCHITECTURE.md says what each is. */
const order = ["kube", "api", "resources", "reconcile", "client", "runtime", "cli"];
const files = globSync("src/**/*.ts");

function imports(file: string): { target: string; isType: boolean }[] {
  const text = readFileSync(file, "utf8");
  const statements = text.matchAll(/^(?:import|export)\s+(type\s)?[^"';]*?from\s+"([^"]+)"|import\("([^"]+)"\)/gm);
  return [...statements].map(([, isType, target, dynamic]) => ({
    target: target ?? dynamic ?? "",
    isType: isType !== undefined,
  }));
}

const layerOf = (path: string) => /^src\/([a-z]+)\//.exec(path)?.[1];

describe("the import order", () => {
  test("a file imports from its own folder and those to its left only", () => {
    for (const file of files) {
      const own = order.indexOf(layerOf(file) ?? "");
      if (own < 0) continue;
      for (const { target } of imports(file)) {
        if (!target.startsWith(".")) continue;
        const layer = layerOf(normalize(join(dirname(file), target)));
        assert.ok(layer !== undefined && order.indexOf(layer) <= own, `${file} imports ${target}`);
      }
    }
  });

  test("resources and reconcile load nothing from npm but types", () => {
    for (const file of files.filter((each) => /^src\/(kube|resources|reconcile)\//.test(each))) {
      for (const { target, isType } of imports(file)) {
        assert.ok(isType || target.startsWith(".") || target.startsWith("node:"), `${file} loads ${target}`);
      }
    }
  });

  test("only settings.ts reads the environment", () => {
    for (const file of files.filter((each) => each !== "src/settings.ts")) {
      assert.doesNotMatch(readFileSync(file, "utf8"), /process\.env/, file);
    }
  });

  test("builders know no clock and no randomness", () => {
    for (const file of files.filter((each) => each.startsWith("src/resources/"))) {
      assert.doesNotMatch(readFileSync(file, "utf8"), /new Date\(|Date\.now|Math\.random|randomBytes/, file);
    }
  });
});

test("no wait and no deadline uses the clock that can be set", () => {
  // A deadline that both clocks must keep, and the date in a header.
  const allowed = ["src/client/fence.ts", "src/client/failure.ts"];
  const using = files.filter((file) => /\bDate\.now\b/.test(readFileSync(file, "utf8")));
  assert.deepEqual(using.sort(), allowed.sort(), "use performance.now()");
});
