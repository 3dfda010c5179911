import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "./eventually.ts";
import type { ProxiedRequest } from "./fault.ts";
import type { FaultProxy } from "./fault-proxy.ts";
import type { OperatorIdentity } from "./operator-identity.ts";
import { operatorProcess } from "./operator-process.ts";

/** Not what is recorded about servers of other tests, which other operators manage: each new process does that once. */
function writesIn(namespace: string): (request: ProxiedRequest) => boolean {
  const isOthersEvent = (path: string) => path.endsWith("/events") && !path.includes(`/namespaces/${namespace}/`);
  return ({ method, path }) => method !== "GET" && !isOthersEvent(path);
}

/**
 * Starts operator after operator, each killed right after its first write, until one lives to see `done`, an assertion
 * of a moment, hold and hold on for a second, in which it found nothing to write. Gives those writes.
 */
export async function killedAfterWrites(
  context: TestContext,
  proxy: FaultProxy,
  identity: OperatorIdentity,
  args: readonly string[],
  done: () => Promise<void>,
): Promise<readonly ProxiedRequest[]> {
  const kubeconfig = await identity.kubeconfig(proxy.url);
  const isWrite = writesIn(identity.namespace);
  const writes: ProxiedRequest[] = [];
  for (;;) {
    assert.ok(writes.length < 60, `there is no end to it: ${writes.map(({ path }) => path).join(", ")}`);
    const mortal = operatorProcess(context, kubeconfig, identity, args);
    const rule = proxy.fault({
      when: isWrite,
      times: 1,
      fault: { kind: "run", at: "response", run: () => mortal.signal("SIGKILL") },
    });
    // Writes that were made at once with the first must not be done, or they would never be the only ones.
    const others = proxy.fault({ when: isWrite, fault: { kind: "hang" } });
    let isAlive = true;
    const ended = mortal.ended.finally(() => {
      isAlive = false;
    });
    const settled = async () => {
      await mortal.logged(/^all watches are synced$/);
      // One that was killed is not waited for.
      await eventually(async () => {
        for (let times = 0; times < 2 && isAlive; times += 1) {
          if (times > 0) await sleep(1000);
          await done();
        }
      });
    };
    const rest = settled();
    rest.catch(() => {});
    const ending = await Promise.race([ended, rest.then(() => (rule.hits() === 0 ? undefined : ended))]);
    rule.remove();
    others.remove();
    if (ending === undefined) {
      mortal.signal("SIGKILL");
      return writes;
    }
    assert.equal(ending.signal, "SIGKILL", mortal.output());
    writes.push(await rule.first);
  }
}
