import assert from "node:assert/strict";
import { test } from "node:test";
import { event } from "../../src/client/event.ts";

const server = {
  apiVersion: "mlflow-operator.dev/v1alpha1",
  kind: "MlflowServer",
  metadata: { name: "a", namespace: "team", uid: "1" },
};

function noteOf(message: string): string {
  return event(server, { type: "Normal", reason: "Ready", action: "Reconcile", message }, "pod-0", new Date(0)).note;
}

test("names of Events are ordered by time", () => {
  const nameAt = (milliseconds: number) =>
    event(
      server,
      { type: "Normal", reason: "Ready", action: "Reconcile", message: "" },
      "pod-0",
      new Date(milliseconds),
    ).metadata.name;
  const names = [0, 1, 1_000, 1_767_225_600_000, 1_767_225_600_001].map(nameAt);
  assert.deepEqual(names.toSorted(), names);
});

test("an Event regards the object, of either kind, and names the operator as its controller", () => {
  for (const kind of ["MlflowServer", "MlflowWorkspaceAccess"]) {
    const metadata = { ...server.metadata, resourceVersion: "7" };
    const one = event(
      { kind, metadata },
      { type: "Normal", reason: "Ready", action: "Reconcile", message: "" },
      "pod-0",
      new Date(0),
    );
    assert.deepEqual(one.regarding, {
      apiVersion: server.apiVersion,
      kind,
      name: "a",
      namespace: "team",
      uid: "1",
      resourceVersion: "7",
    });
    assert.deepEqual(
      [one.reportingController, one.reportingInstance, one.type, one.reason, one.action],
      ["mlflow-operator", "pod-0", "Normal", "Ready", "Reconcile"],
    );
  }
});

test("a note has at most 1,024 bytes and ends at a character boundary", () => {
  assert.equal(noteOf("x".repeat(1024)).length, 1024);
  for (const letter of ["x", "ß", "☂", "🧪"]) {
    const note = noteOf(letter.repeat(1025));
    assert.ok(Buffer.byteLength(note) <= 1024 && Buffer.byteLength(note) > 1016, letter);
    assert.match(note, new RegExp(`^(${letter})+…$`, "u"));
  }
});
