import type { LiveFixture } from "./live-fixture.ts";

const program = `
import http.client, json, sys
statuses = []
for host in ("127.0.0.1", "::1"):
    connection = http.client.HTTPConnection(host, int(sys.argv[1]), timeout=30)
    connection.request(sys.argv[3], sys.argv[2])
    statuses.append(connection.getresponse().status)
print(json.dumps(statuses))
`;

/** Sends a request within a pod of MLflow's image to the loopback addresses of IPv4 and IPv6, in this order, and returns the status codes. */
export async function loopbackStatuses(
  fixture: LiveFixture,
  pod: string | undefined,
  port: number,
  path: string,
  method = "GET",
): Promise<readonly number[]> {
  return JSON.parse(await fixture.inPod(pod ?? "", ["python", "-c", program, String(port), path, method]));
}
