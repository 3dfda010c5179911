import assert from "node:assert/strict";
import { test } from "node:test";
import { hostIndex } from "../../src/client/host-index.ts";
import { conditionsOf } from "../../src/kube/conditions.ts";
import { keyText } from "../../src/kube/object.ts";
import { server } from "../support/fixtures.ts";

const [one, two, three] = ["one", "two", "three"].map((name) => ({ namespace: "team-a", name }));
assert.ok(one !== undefined && two !== undefined && three !== undefined);
const at = (...hosts: string[]) => server({ exposure: { ingress: { hosts: hosts.map((host) => ({ host })) } } });

test("notifies servers at an address when another is added or removed, and otherwise not", () => {
  const notifications: string[] = [];
  const newNotifications = () => notifications.splice(0).sort();
  const all = hostIndex((key) => notifications.push(keyText(key)));
  all.noted(one, at("a.example.com", "b.example.com"));
  assert.deepEqual(newNotifications(), []);
  all.noted(two, at("a.example.com"));
  assert.deepEqual(newNotifications(), ["team-a/one"]);
  all.noted(three, at("b.example.com"));
  assert.deepEqual(newNotifications(), ["team-a/one"]);
  assert.deepEqual(all.competitors(one).map(keyText).sort(), ["team-a/three", "team-a/two"]);
  assert.deepEqual(all.competitors(two).map(keyText), ["team-a/one"]);
  all.noted(two, at("a.example.com"));
  assert.deepEqual(newNotifications(), []);
  all.noted(one, at("b.example.com", "c.example.com"));
  assert.deepEqual(newNotifications(), ["team-a/two"]);
  all.noted(one, undefined);
  assert.deepEqual(newNotifications(), ["team-a/three"]);
  assert.deepEqual(all.competitors(two), []);
});

test("an address in the status counts even if the spec no longer requests it", () => {
  const notifications: string[] = [];
  const all = hostIndex((key) => notifications.push(keyText(key)));
  all.noted(one, { ...at("b.example.com"), status: { addresses: ["a.example.com"] } });
  all.noted(two, at("a.example.com"));
  assert.deepEqual(all.competitors(two).map(keyText), ["team-a/one"]);
  all.noted(one, { ...at("b.example.com"), status: { addresses: ["b.example.com"] } });
  assert.deepEqual(notifications.at(-1), "team-a/two");
  assert.deepEqual(all.competitors(two), []);
});

test("notifies others once when an address is assigned or released", () => {
  const notifications: string[] = [];
  const all = hostIndex((key) => notifications.push(keyText(key)));
  const having = { ...at("a.example.com"), status: { addresses: ["a.example.com"] } };
  all.noted(one, at("a.example.com"));
  all.noted(two, at("a.example.com"));
  notifications.splice(0);
  for (const [state, newNotifications] of [
    [having, ["team-a/two"]],
    [having, []],
    [at("a.example.com"), ["team-a/two"]],
    [at("a.example.com"), []],
  ] as const) {
    all.noted(one, state);
    assert.deepEqual(notifications.splice(0), newNotifications);
  }
});

test("notifies others once when a server is blocked", () => {
  const notifications: string[] = [];
  const all = hostIndex((key) => notifications.push(keyText(key)));
  const condition = { type: "Exposed", status: "False", reason: "HostConflict", message: "" } as const;
  const wanting = at("a.example.com", "b.example.com");
  const blocked = { ...wanting, status: { conditions: conditionsOf([condition], [], 1, new Date(0)) } };
  all.noted(one, wanting);
  all.noted(two, at("a.example.com"));
  notifications.splice(0);
  for (const [state, newNotifications] of [
    [blocked, 1],
    [blocked, 0],
    [wanting, 1],
    [wanting, 0],
  ] as const) {
    all.noted(one, state);
    assert.equal(notifications.splice(0).length, newNotifications);
  }
});

test("a server with a URL but without a route of the operator requests no address", () => {
  const all = hostIndex(() => assert.fail("unexpected notification"));
  const externalURL = "https://a.example.com";
  all.noted(one, server({ exposure: { externalURL } }));
  all.noted(two, server({ exposure: { externalURL, ingress: {} } }));
  // Another prefix is another address.
  all.noted(three, server({ exposure: { externalURL: `${externalURL}/mlflow`, ingress: {} } }));
});
