import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import type { MlflowServer } from "../../src/api/server.ts";
import { conditionsOf } from "../../src/kube/conditions.ts";
import type { Ingress } from "../../src/kube/manifests.ts";
import { addressesOf, routesOf } from "../../src/model/exposure.ts";
import { namesOf } from "../../src/model/names.ts";
import { type Exposure, exposureOf } from "../../src/reconcile/exposure.ts";
import { withAppliedFieldsHash } from "../../src/resources/applied-fields-hash.ts";
import { ingress } from "../../src/resources/exposure.ts";
import { server } from "../support/fixtures.ts";
import { seededRandom } from "../support/seeded-random.ts";

const worlds = 400;
const events = 60;
const hosts = ["a", "b", "c"].map((name) => `${name}.example.com`);
const now = new Date(0);
const names = ["one", "two", "three", "four"];

interface Place {
  server: MlflowServer;
  /** Its Ingress, if it exists. */
  route: Ingress | undefined;
  /** Addresses with a route since then, requested all the time. */
  readonly held: Set<string>;
  /** A reconciliation that has read the state, and its result. */
  under?: { readonly found: Exposure; readonly of: MlflowServer; isWritten: boolean } | undefined;
}

const leads = ({ route }: Place) => route?.spec.rules?.map(({ host }) => host ?? "") ?? [];

/** Servers are created, change their addresses, roll out or do not, and are deleted; reconciliations run in any order and may interleave. */
function world(seed: number, isCut = false) {
  const next = seededRandom(seed);
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

  function look(place: Place): Exposure {
    const competitors = [...places.values()].filter((each) => each !== place).map((each) => each.server);
    const owned = place.route === undefined ? [] : [place.route];
    return exposureOf({ server: place.server, owned, competitors, known: new Set(["Ingress"]) });
  }

  /** Whether something was written, so that another reconciliation follows. */
  function write(place: Place, exposure: Exposure, of: MlflowServer, isRolledOut: boolean): boolean {
    const { route: before } = place;
    const wanted = ingress({
      owner: of,
      names: namesOf(of.metadata.name, "team-a"),
      routes: routesOf(of, exposure.routes),
    });
    if (wanted === undefined && !exposure.keepsRoutes) place.route = undefined;
    if (wanted !== undefined && isRolledOut && exposure.isExclusive) place.route = withAppliedFieldsHash(wanted);
    for (const host of leads(place)) if (addressesOf(place.server).includes(host)) place.held.add(host);
    return !isDeepStrictEqual(before, place.route);
  }

  function report(place: Place, { addresses, condition }: Exposure, { metadata }: MlflowServer): void {
    const conditions = condition
      ? conditionsOf([{ type: "Exposed", ...condition }], [], metadata.generation ?? 0, now)
      : [];
    place.server = { ...place.server, status: { addresses: [...addresses], conditions } };
  }

  /** A complete reconciliation without interleaving. */
  function pass(name: string, isRolledOut: boolean): void {
    const place = places.get(name);
    if (place === undefined) return;
    const found = look(place);
    if (!write(place, found, place.server, isRolledOut)) report(place, found, place.server);
  }

  /** The next step of a reconciliation: read, write, report. */
  function step(place: Place, isRolledOut: boolean): void {
    const { under } = place;
    if (under === undefined) place.under = { found: look(place), of: place.server, isWritten: false };
    else if (!under.isWritten && !write(place, under.found, under.of, isRolledOut)) under.isWritten = true;
    else {
      if (under.isWritten) report(place, under.found, under.of);
      place.under = undefined;
    }
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
    else if (isCut) step(place, next() < 0.6);
    else pass(name, next() < 0.6);
  }
  return { places, pass, event, look };
}

for (const isCut of [false, true]) {
  const keeps = isCut ? "though passes cut across each other" : "who has it keeps it";
  test(`no address routes to two servers, ${keeps}, and finally each requested address routes to a server`, () => {
    let [taken, led] = [0, 0];
    for (let seed = 1; seed <= worlds; seed += 1) {
      const { places, pass, event, look } = world(seed, isCut);
      const check = () => {
        const all = [...places.values()].flatMap(leads);
        assert.equal(new Set(all).size, all.length, `world ${seed}: ${all.sort()}`);
        if (isCut) return;
        for (const place of places.values())
          for (const host of place.held)
            assert.ok(leads(place).includes(host), `world ${seed}: ${host} was taken away`);
      };
      for (let time = 0; time < (isCut ? 4 * events : events); time += 1) {
        event(time);
        check();
      }
      for (let round = 0; round < 4 * names.length; round += 1)
        for (const name of names) {
          pass(name, true);
          check();
        }
      for (const place of places.values()) {
        const { server: own } = place;
        const isTaken = look(place).condition?.reason === "HostConflict";
        if (!isTaken) assert.deepEqual(leads(place), addressesOf(own), `world ${seed}`);
        if (!isTaken && addressesOf(own).length > 0) led += 1;
        if (!isTaken) continue;
        taken += 1;
        const others = [...places.values()].filter((each) => each !== place).map((each) => each.server);
        assert.ok(addressesOf(own).some((host) => others.some((each) => each.status?.addresses?.includes(host))));
      }
    }
    // Both results occurred many times.
    assert.ok(taken > 100 && led > 100, `${taken} ${led}`);
  });
}
