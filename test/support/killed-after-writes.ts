import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { eventually } from "./eventually.ts";
import type { ProxiedRequest } from "./fault.ts";
import type { FaultProxy } from "./fault-proxy.ts";
import type { OperatorIdentity } from "./operator-identity.ts";
import { operatorProcess } from "./operator-process.ts";

/** Writes except Events about servers of other tests, which each new process creates once. */
function writesIn(namespace: string): (request: ProxiedRequest) => boolean {
  const isOthersEvent = (path: string) => path.endsWith("/events") && !path.includes(`/namespaces/${namespace}/`);
  return ({ method, path }) => method !== "GET" && !isOthersEvent(path);
}

/**
 * Starts operators in sequence, each killed after its first write, until one makes no write and `done` does not throw
 * for five seconds: on a busy machine the first reconciliation of a process takes more than one. Returns those writes.
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
    assert.ok(writes.length < 60, `the operator does not stop writing: ${writes.map(({ path }) => path).join(", ")}`);
    const running = operatorProcess(context, kubeconfig, identity, args);
    const rule = proxy.fault({
      when: isWrite,
      times: 1,
      fault: { kind: "run", at: "response", run: () => running.signal("SIGKILL") },
    });
    // Concurrent writes are blocked, so that there is only one write for each process.
    const others = proxy.fault({ when: isWrite, fault: { kind: "hang" } });
    let isAlive = true;
    const ended = running.ended.finally(() => {
      isAlive = false;
    });
    const settled = async () => {
      await running.logged(/^all watches are synced$/);
      // A killed process is not waited for.
      await eventually(async () => {
        for (let times = 0; times < 2 && isAlive; times += 1) {
          if (times > 0) await sleep(5000);
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
      running.signal("SIGKILL");
      return writes;
    }
    assert.equal(ending.signal, "SIGKILL", running.output());
    writes.push(await rule.first);
  }
}
