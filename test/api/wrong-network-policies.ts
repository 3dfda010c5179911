import { type Json, proxied, smallest, smallestInFull } from "./documents.ts";
import { type Wrong, wrong } from "./wrong-document.ts";

const small = wrong(smallest);
const uri = wrong(smallestInFull);
const from = "spec.networkPolicy.from";

const peers: readonly Json[] = [
  {},
  { ipBlock: { cidr: "10.0.0.0/8" }, podSelector: {} },
  { ipBlock: { cidr: "10.0.0.0/8" }, namespaceSelector: {} },
];

export const wrongNetworkPolicies: readonly Wrong[] = [
  ...peers.map((peer) =>
    small(
      `from ${JSON.stringify(peer)}`,
      { "spec.networkPolicy": { from: [peer] } },
      `${from}[0]`,
      "write one of them",
    ),
  ),
  ...["10.0.0.1", "10.0.0.0/33", "example.com", "10.0.0.0/8,192.168.0.0/16", "fd00::/129", "any"].map((cidr) =>
    small(
      `addresses ${cidr}`,
      { "spec.networkPolicy": { from: [{ ipBlock: { cidr } }] } },
      `${from}[0].ipBlock.cidr`,
      "a CIDR such as 10.0.0.0/8",
    ),
  ),
  small(
    "clients of a disabled NetworkPolicy",
    { "spec.networkPolicy": { enabled: false, from: [] } },
    "spec.networkPolicy.enabled",
    "leave out enabled: false",
  ),
  small(
    "port 0",
    { "spec.networkPolicy": { egress: { ports: [0] } } },
    "spec.networkPolicy.egress.ports[0]",
    "greater than or equal to 1",
  ),
  uri(
    "restricted egress to a database whose port is in a Secret",
    { "spec.networkPolicy": { egress: {} } },
    "spec.networkPolicy.egress",
    "list it in networkPolicy.egress.ports",
  ),
  wrong(proxied)(
    "an unknown operator",
    { [`${from}[0].podSelector.matchExpressions[0].operator`]: "Like" },
    `${from}[0].podSelector.matchExpressions[0].operator`,
    "supported values",
  ),
];
