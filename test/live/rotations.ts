import assert from "node:assert/strict";
import type { RotationRecord } from "../../src/api/status.ts";
import { annotation } from "../../src/kube/names.ts";
import { type LiveFixture, timeoutSeconds } from "./live-fixture.ts";
import { waitUntil } from "./wait-until.ts";

/** Returns the record of a rotation in the status of a server. */
export async function recordOf(
  { objects }: LiveFixture,
  server: string,
  of: RotationRecord["name"],
): Promise<RotationRecord | undefined> {
  const { status } = await objects.the("MlflowServer", server);
  return status?.rotations?.find((each) => each.name === of);
}

/** Requests rotations by the annotation. */
export async function requestRotation({ objects }: LiveFixture, server: string, rotate: string): Promise<void> {
  await objects.patch("MlflowServer", server, { metadata: { annotations: { [annotation.rotate]: rotate } } });
}

/** Changes what these servers reference, and waits until all their pods have started with the change. */
export async function changeReferences(
  fixture: LiveFixture,
  servers: readonly string[],
  change: () => Promise<unknown>,
): Promise<void> {
  const contents = async () => Promise.all(servers.map((server) => recordOf(fixture, server, "references")));
  const before = await contents();
  await change();
  await waitUntil(async () => {
    for (const [index, record] of (await contents()).entries()) {
      assert.notEqual(record?.content, before[index]?.content, servers[index] ?? "");
      assert.equal(record?.phase, "Completed", servers[index] ?? "");
    }
  }, timeoutSeconds);
}
