import { smallest } from "./documents.ts";
import { type Wrong, wrong } from "./wrong-document.ts";

const small = wrong(smallest);
const pod = (title: string, fields: object, field: string, says: string): Wrong =>
  small(title, { "spec.pod": JSON.parse(JSON.stringify(fields)) }, `spec.pod.${field}`, says);

/** Addresses that Kubernetes rejects, or accepts for old objects only. */
const addresses = [
  ...["", "10.1.2", "10.1.2.256", "10.1.2.3.4", "10.1.2.3.", "010.1.2.3", "10.1.2.3/32", "db.example.com", "localhost"],
  ...["1:2:3", "1::2::3", ":::", "fe80::1%eth0", "::ffff:10.1.2.3", "12345::1", "[fd00::1]", "1:2:3:4:5:6:7:8:9"],
];

const hostNames = ["", "Db.example.com", "localhost", "db_1", "*.example.com", "db:5432", "-db", "db.", "https://db"];

/** Invalid options of the resolver. */
const options = [
  { name: "ndots" },
  { name: "ndots", value: "" },
  { name: "ndots", value: "-1" },
  { name: "timeout", value: "1s" },
  { name: "rotate", value: "1" },
];

export const wrongPods: readonly Wrong[] = [
  ...addresses.map((ip) =>
    pod(
      `the address ${JSON.stringify(ip)} in hostAliases`,
      { hostAliases: [{ ip, hostnames: ["db.example.com"] }] },
      "hostAliases[0].ip",
      "must be an IP address such as",
    ),
  ),
  ...hostNames.map((name) =>
    pod(
      `the host name ${JSON.stringify(name)} in hostAliases`,
      { hostAliases: [{ ip: "10.1.2.3", hostnames: ["db.example.com", name] }] },
      "hostAliases[0].hostnames[1]",
      "must be a lower case host name",
    ),
  ),
  pod(
    "an address of hostAliases without host names",
    { hostAliases: [{ ip: "10.1.2.3", hostnames: [] }] },
    "hostAliases[0].hostnames",
    "at least 1 items",
  ),
  pod(
    "an address of hostAliases that occurs twice",
    { hostAliases: ["a", "b"].map((name) => ({ ip: "10.1.2.3", hostnames: [name] })) },
    "hostAliases[1]",
    "Duplicate value",
  ),
  ...options.map((option) =>
    pod(
      `the DNS option ${JSON.stringify(option)}`,
      { dnsConfig: { options: [option] } },
      "dnsConfig.options[0].value",
      "need a number as text",
    ),
  ),
  pod(
    "an unknown DNS option",
    { dnsConfig: { options: [{ name: "ndot", value: "2" }] } },
    "dnsConfig.options[0].name",
    "supported values",
  ),
  pod(
    "a number as the value of a DNS option",
    { dnsConfig: { options: [{ name: "ndots", value: 2 }] } },
    "dnsConfig.options[0].value",
    "must be of type string",
  ),
  ...["Corp", ".example.com", "a b", ""].map((domain) =>
    pod(
      `the search domain ${JSON.stringify(domain)}`,
      { dnsConfig: { searches: [domain] } },
      "dnsConfig.searches[0]",
      "must be a lower case domain",
    ),
  ),
  pod("the scheduler Binpack", { schedulerName: "Binpack" }, "schedulerName", "must be a name"),
  pod("the RuntimeClass gVisor", { runtimeClassName: "gVisor" }, "runtimeClassName", "must be a name"),
  ...["10s", "3h", "5"].map((startupTimeout) =>
    pod(`the startup timeout ${startupTimeout}`, { startupTimeout }, "startupTimeout", "must be a duration"),
  ),
  pod(
    "another label key of a topology spread constraint",
    {
      topologySpreadConstraints: [
        { maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "ScheduleAnyway", matchLabelKeys: ["app"] },
      ],
    },
    "topologySpreadConstraints[0].matchLabelKeys[0]",
    "pod-template-hash",
  ),
  ...["resources", "setupResources"].flatMap((field) =>
    ["memory", "ephemeral-storage"].flatMap((name) =>
      ["requests", "limits"].map((list) =>
        pod(`${name} in thousandths in ${field}.${list}`, { [field]: { [list]: { [name]: "512m" } } }, field, "512Mi"),
      ),
    ),
  ),
];
