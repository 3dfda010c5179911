/** Writes the objects on stdin with only node:https and persistent connections, and prints the seconds. */
import { Agent, request } from "node:https";
import { text } from "node:stream/consumers";
import { inFlight } from "../in-flight.ts";

/** Objects of a group are written in sequence, groups concurrently. */
export interface Writes {
  readonly server: string;
  readonly token: string;
  readonly ca: string;
  readonly concurrency: number;
  readonly groups: readonly (readonly { path: string; body: unknown }[])[];
}

const { server, token, ca, concurrency, groups }: Writes = JSON.parse(await text(process.stdin));
const agent = new Agent({ keepAlive: true, ca });

function post(path: string, body: unknown): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
    const outgoing = request(new URL(path, server), { method: "POST", agent, headers });
    outgoing.on("error", reject);
    outgoing.on("response", async (incoming) => {
      const answer = await text(incoming);
      JSON.parse(answer);
      if (incoming.statusCode === 201) resolve();
      else reject(new Error(answer));
    });
    outgoing.end(JSON.stringify(body));
  });
}

const began = performance.now();
await inFlight(concurrency, groups, async (group) => {
  for (const { path, body } of group) await post(path, body);
});
console.log((performance.now() - began) / 1000);
agent.destroy();
