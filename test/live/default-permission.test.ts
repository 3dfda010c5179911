import assert from "node:assert/strict";
import { test } from "node:test";
import { testedVersion } from "./live-cluster.ts";
import { liveFixture } from "./live-fixture.ts";
import { allowed, grant, newExperiment, newModel, newUser, type Operation, operations } from "./permission-matrix.ts";

const name = "by-default";

/** The operations of users without a grant. permissions.test.ts covers NO_PERMISSIONS. */
const byDefault: Readonly<Record<string, readonly Operation[]>> = {
  READ: ["read"],
  EDIT: ["read", "write"],
  MANAGE: operations,
};

test("defaultPermission", { timeout: 1_500_000 }, async (context) => {
  const fixture = await liveFixture(context);
  const ready = async (defaultPermission?: string) => {
    const spec = {
      version: testedVersion,
      backendStore: { sqlite: {} },
      artifactStore: { persistentVolume: {} },
      authentication: { basic: defaultPermission === undefined ? {} : { defaultPermission } },
    };
    await fixture.apply({ metadata: { name }, spec });
    await fixture.ready(name);
  };
  await ready();
  const admin = await fixture.asAdmin(name);
  const grace = await newUser(admin, "grace");
  await newUser(admin, "other");
  let made = 0;

  for (const [level, expected] of Object.entries(byDefault)) {
    await context.test(`${level} allows ${expected.join(", ")} without a grant`, async () => {
      // READ is the default.
      if (level !== "READ") await ready(level);
      for (const make of [newExperiment, newModel]) {
        const resource = await make(admin, `of-${++made}`, "other");
        assert.deepEqual(await allowed(grace, resource), expected, resource.type);
      }
    });
  }

  await context.test("a grant does not reduce the default, except DENY", async () => {
    // The default is MANAGE at this point.
    for (const [level, expected] of [["READ", operations] as const, ["DENY", []] as const]) {
      const resource = await newExperiment(admin, `of-${++made}`, "other");
      assert.equal((await grant(admin, "grace", resource, level)).status, 200);
      assert.deepEqual(await allowed(grace, resource), expected, level);
    }
  });
});
