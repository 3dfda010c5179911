/** The client of this project. */
import { apiClient } from "../../src/kube/client/api-client.ts";
import { ownCredentials } from "../own-credentials.ts";
import { runLoad } from "./load.ts";

const path = `/api/v1/namespaces/${process.argv[2]}/configmaps`;
const client = apiClient({
  credentials: ownCredentials(),
  userAgent: "bench-own",
});
runLoad((name, data) => client.request({ method: "POST", path, body: { metadata: { name }, data } }));
