import assert from "node:assert/strict";
import { test } from "node:test";
import { hostIndex } from "../../src/client/host-index.ts";
import { conditionsOf } from "../../src/kube/conditions.ts";
import { keyText } from "../../src/kube/object.ts";
import { server } from "../support/fixtures.ts";

const [one, two, three] = ["one", "two", "three"].map((name) => ({ namespace: "team-a", name }));
assert.ok(one !== undefined && two !== undefined && three !== undefined);
const at = (...hosts: string[]) => server({ exposure: { ingress: { hosts: hosts.map((host) => ({ host })) } } });

test("who wants an address is told when another comes to it or leaves it, and of nothing else", () => {
  const told: string[] = [];
  const news = () => told.splice(0).sort();
  const all = hostIndex((key) => told.push(keyText(key)));
  all.noted(one, at("a.example.com", "b.example.com"));
  assert.deepEqual(news(), []);
  all.noted(two, at("a.example.com"));
  assert.deepEqual(news(), ["team-a/one"]);
  all.noted(three, at("b.example.com"));
  assert.deepEqual(news(), ["team-a/one"]);
  assert.deepEqual(all.competitors(one).map(keyText).sort(), ["team-a/three", "team-a/two"]);
  assert.deepEqual(all.competitors(two).map(keyText), ["team-a/one"]);
  all.noted(two, at("a.example.com"));
  assert.deepEqual(news(), []);
  all.noted(one, at("b.example.com", "c.example.com"));
  assert.deepEqual(news(), ["team-a/two"]);
  all.noted(one, undefined);
  assert.deepEqual(news(), ["team-a/three"]);
  assert.deepEqual(all.competitors(two), []);
});

test("what a server still has is its own, whatever it wants now", () => {
  const told: string[] = [];
  const all = hostIndex((key) => told.push(keyText(key)));
  all.noted(one, { ...at("b.example.com"), status: { addresses: ["a.example.com"] } });
  all.noted(two, at("a.example.com"));
  assert.deepEqual(all.competitors(two).map(keyText), ["team-a/one"]);
  all.noted(one, { ...at("b.example.com"), status: { addresses: ["b.example.com"] } });
  assert.deepEqual(told.at(-1), "team-a/two");
  assert.deepEqual(all.competitors(two), []);
});

test("that a server has what it wants, or has it no more, is news to others, once", () => {
  const told: string[] = [];
  const all = hostIndex((key) => told.push(keyText(key)));
  const having = { ...at("a.example.com"), status: { addresses: ["a.example.com"] } };
  all.noted(one, at("a.example.com"));
  all.noted(two, at("a.example.com"));
  told.splice(0);
  for (const [state, news] of [
    [having, ["team-a/two"]],
    [having, []],
    [at("a.example.com"), ["team-a/two"]],
    [at("a.example.com"), []],
  ] as const) {
    all.noted(one, state);
    assert.deepEqual(told.splice(0), news);
  }
});

test("that a server cannot have what it wants is news to others, once", () => {
  const told: string[] = [];
  const all = hostIndex((key) => told.push(keyText(key)));
  const finding = { type: "Exposed", status: "False", reason: "HostConflict", message: "" } as const;
  const wanting = at("a.example.com", "b.example.com");
  const blocked = { ...wanting, status: { conditions: conditionsOf([finding], [], 1, new Date(0)) } };
  all.noted(one, wanting);
  all.noted(two, at("a.example.com"));
  told.splice(0);
  for (const [state, news] of [
    [blocked, 1],
    [blocked, 0],
    [wanting, 1],
    [wanting, 0],
  ] as const) {
    all.noted(one, state);
    assert.equal(told.splice(0).length, news);
  }
});

test("a server with a URL and no route of the operator's wants nothing", () => {
  const all = hostIndex(() => assert.fail("somebody is told"));
  const externalURL = "https://a.example.com";
  all.noted(one, server({ exposure: { externalURL } }));
  all.noted(two, server({ exposure: { externalURL, ingress: {} } }));
  // Another prefix is another address.
  all.noted(three, server({ exposure: { externalURL: `${externalURL}/mlflow`, ingress: {} } }));
});
