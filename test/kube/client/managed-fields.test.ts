import assert from "node:assert/strict";
import { test } from "node:test";
import { type ManagedFields, merged, renamed, updateEntries } from "../../../src/kube/client/managed-fields.ts";

const other = { manager: "kube-controller-manager", operation: "Update", subresource: "status" };
const posted = { manager: "us", operation: "Update" };
const applied = { manager: "us", operation: "Apply" };

test("takes over only entries of a POST of the operator", () => {
  assert.equal(updateEntries([], "us"), "none");
  assert.equal(updateEntries([other, applied], "us"), "none");
  assert.equal(updateEntries([other, posted], "us"), "one");
  assert.equal(updateEntries([applied, posted], "us"), "many");
  assert.equal(
    updateEntries(
      [
        { ...posted, subresource: "scale" },
        { ...posted, manager: "them" },
      ],
      "us",
    ),
    "none",
  );
});

test("the patch refers to the entry by its index and tests its content", () => {
  assert.deepEqual(renamed([other, posted], "us"), [
    { op: "test", path: "/metadata/managedFields/1/manager", value: "us" },
    { op: "test", path: "/metadata/managedFields/1/operation", value: "Update" },
    { op: "replace", path: "/metadata/managedFields/1/operation", value: "Apply" },
  ]);
});

test("merges several entries into one that owns all fields", () => {
  const managedFields: ManagedFields[] = [
    { ...applied, apiVersion: "v1", fieldsV1: { "f:data": { "f:a": {} } } },
    { ...posted, apiVersion: "v1", fieldsV1: { "f:data": { ".": {}, "f:b": {} } } },
    other,
  ];
  assert.deepEqual(merged({ resourceVersion: "7", managedFields }, "us"), [
    { op: "test", path: "/metadata/resourceVersion", value: "7" },
    {
      op: "replace",
      path: "/metadata/managedFields",
      value: [other, { ...applied, apiVersion: "v1", fieldsV1: { "f:data": { ".": {}, "f:a": {}, "f:b": {} } } }],
    },
  ]);
});
