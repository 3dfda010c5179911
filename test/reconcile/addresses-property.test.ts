import assert from "node:assert/strict";
import { test } from "node:test";
import type { MlflowServer } from "../../src/api/server.ts";
import { conditionsOf } from "../../src/kube/conditions.ts";
import type { Ingress } from "../../src/kube/manifests.ts";
import { exposureOf } from "../../src/reconcile/exposure.ts";
import { addressesOf } from "../../src/resources/exposure.ts";
import { ingress } from "../../src/resources/ingress.ts";
import { withShape } from "../../src/resources/shape.ts";
import { dice } from "../support/dice.ts";
import { server } from "../support/fixtures.ts";

const worlds = 400;
const events = 60;
const hosts = ["a", "b", "c"].map((name) => `${name}.example.com`);
const now = new Date(0);
const names = ["one", "two", "three", "four"];

interface Place {
  server: MlflowServer;
  /** What there is of its Ingress. */
  route: Ingress | undefined;
  /** Addresses from which it has led since, while it wanted them all the time. */
  readonly held: Set<string>;
}

const leads = ({ route }: Place) => route?.spec.rules?.map(({ host }) => host ?? "") ?? [];

/** Servers come, change what they want, roll out or do not, and go; passes run in any order. */
function world(seed: number) {
  const next = dice(seed);
  const pick = <T>(items: readonly T[]): T => {
    const item = items[Math.floor(next() * items.length)];
    assert.ok(item !== undefined);
    return item;
  };
  const places = new Map<string, Place>();
  const wanting = () => {
    const wanted = hosts.filter(() => next() < 0.4).map((host) => ({ host }));
    return wanted.length === 0 ? {} : { exposure: { ingress: { hosts: wanted } } };
  };

  function pass(name: string, isRolledOut: boolean): void {
    const place = places.get(name);
    if (place === undefined) return;
    const others = [...places].filter(([other]) => other !== name).map(([, each]) => each.server);
    const owned = place.route === undefined ? [] : [place.route];
    const exposure = exposureOf({ server: place.server, owned, rivals: others, known: new Set(["Ingress"]) });
    const wanted = ingress({ server: place.server, routes: exposure.routes });
    if (wanted === undefined && !exposure.isKept) place.route = undefined;
    if (wanted !== undefined && isRolledOut) place.route = withShape(wanted);
    const { metadata } = place.server;
    const { finding } = exposure;
    const conditions = finding
      ? conditionsOf([{ type: "Exposed", ...finding }], [], metadata.generation ?? 0, now)
      : [];
    place.server = { ...place.server, status: { addresses: [...exposure.addresses], conditions } };
    for (const host of leads(place)) if (addressesOf(place.server).includes(host)) place.held.add(host);
  }

  function event(time: number): void {
    const name = pick(names);
    const place = places.get(name);
    const what = next();
    if (place === undefined) {
      const metadata = { name, namespace: pick(["x", "y"]), uid: `${name}-${time}`, creationTimestamp: String(time) };
      places.set(name, { server: server(wanting(), { metadata }), route: undefined, held: new Set() });
    } else if (what < 0.15) {
      const { exposure: _, ...spec } = place.server.spec;
      const metadata = { ...place.server.metadata, generation: time };
      place.server = { ...place.server, metadata, spec: { ...spec, ...wanting() } };
      for (const host of place.held) if (!addressesOf(place.server).includes(host)) place.held.delete(host);
    } else if (what < 0.2) places.delete(name);
    else pass(name, next() < 0.6);
  }
  return { places, pass, event };
}

test("no two servers are led to from one address, who has it keeps it, and in the end all that is wanted leads somewhere", () => {
  let [taken, led] = [0, 0];
  for (let seed = 1; seed <= worlds; seed += 1) {
    const { places, pass, event } = world(seed);
    const check = () => {
      const all = [...places.values()].flatMap(leads);
      assert.equal(new Set(all).size, all.length, `world ${seed}: ${all.sort()}`);
      for (const place of places.values())
        for (const host of place.held) assert.ok(leads(place).includes(host), `world ${seed}: ${host} was taken away`);
    };
    for (let time = 0; time < events; time += 1) {
      event(time);
      check();
    }
    for (let round = 0; round < 2 * names.length; round += 1)
      for (const name of names) {
        pass(name, true);
        check();
      }
    for (const place of places.values()) {
      const { server: own } = place;
      const rivals = [...places.values()].filter((each) => each !== place).map((each) => each.server);
      const owned = place.route === undefined ? [] : [place.route];
      const { finding } = exposureOf({ server: own, owned, rivals, known: new Set(["Ingress"]) });
      const isTaken = finding?.reason === "AddressTaken";
      if (isTaken) taken += 1;
      else assert.deepEqual(leads(place), addressesOf(own), `world ${seed}`);
      if (!isTaken && addressesOf(own).length > 0) led += 1;
      if (isTaken)
        assert.ok(addressesOf(own).some((host) => rivals.some((each) => each.status?.addresses?.includes(host))));
    }
  }
  // Both ends were reached, many times.
  assert.ok(taken > 100 && led > 100, `${taken} ${led}`);
});
