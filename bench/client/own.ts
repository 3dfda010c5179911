/** This project's own client. */
import { apiClient } from "../../src/client/api-client.ts";
import { ownCredentials } from "../own-credentials.ts";
import { takesOrders } from "./load.ts";

const path = `/api/v1/namespaces/${process.argv[2]}/configmaps`;
const client = apiClient({
  credentials: ownCredentials(),
  userAgent: "bench-own",
});
takesOrders((name, data) => client.request({ method: "POST", path, body: { metadata: { name }, data } }));
