/** Only node:https with persistent connections, as the baseline. */
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { runLoad } from "./load.ts";

const path = `/api/v1/namespaces/${process.argv[2]}/configmaps`;
const { clusters, users } = JSON.parse(readFileSync(process.env["KUBECONFIG"] ?? "", "utf8"));
const agent = new Agent({
  keepAlive: true,
  ca: Buffer.from(clusters[0].cluster["certificate-authority-data"], "base64"),
});

runLoad(
  (name, data) =>
    new Promise<void>((resolve, reject) => {
      const headers = { authorization: `Bearer ${users[0].user.token}`, "content-type": "application/json" };
      const outgoing = request(new URL(path, clusters[0].cluster.server), { method: "POST", agent, headers });
      outgoing.on("error", reject);
      outgoing.on("response", (incoming) => {
        let text = "";
        incoming.setEncoding("utf8").on("data", (chunk: string) => {
          text += chunk;
        });
        incoming.on("end", () => {
          JSON.parse(text);
          if (incoming.statusCode === 201) resolve();
          else reject(new Error(text));
        });
      });
      outgoing.end(JSON.stringify({ metadata: { name }, data }));
    }),
);
