import assert from "node:assert/strict";
import { test } from "node:test";
import type { MlflowServer } from "../../src/api/server.ts";
import { event } from "../../src/client/event.ts";

const server = {
  apiVersion: "mlflow-operator.dev/v1alpha1",
  kind: "MlflowServer",
  metadata: { name: "a", namespace: "team", uid: "1" },
};

function noteOf(message: string): string {
  // Only the name and namespace of the server are read.
  const about: Pick<MlflowServer, "metadata"> = server;
  return event(about, { type: "Normal", reason: "R", action: "A", message }, "pod-0", new Date(0)).note;
}

test("names of Events are ordered by time", () => {
  const nameAt = (milliseconds: number) =>
    event(server, { type: "Normal", reason: "R", action: "A", message: "" }, "pod-0", new Date(milliseconds)).metadata
      .name;
  const names = [0, 1, 1_000, 1_767_225_600_000, 1_767_225_600_001].map(nameAt);
  assert.deepEqual(names.toSorted(), names);
});

test("a note has at most 1,024 bytes and ends at a character boundary", () => {
  assert.equal(noteOf("x".repeat(1024)).length, 1024);
  for (const letter of ["x", "ß", "☂", "🧪"]) {
    const note = noteOf(letter.repeat(1025));
    assert.ok(Buffer.byteLength(note) <= 1024 && Buffer.byteLength(note) > 1016, letter);
    assert.match(note, new RegExp(`^(${letter})+…$`, "u"));
  }
});
