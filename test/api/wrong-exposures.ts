import { type Json, oidcInFull, proxied, smallest } from "./documents.ts";
import { type Wrong, wrong } from "./wrong-document.ts";

const path = "spec.exposure.externalUrl";
const small = wrong(smallest);

function each(values: readonly Json[], says: string): Wrong[] {
  return values.map((value) => small(`externalUrl ${JSON.stringify(value)}`, { [path]: value }, path, says));
}

const base = "https://platform.example.com";

/** URLs that are none, or that contradict what else is said. */
export const wrongExposures: readonly Wrong[] = [
  ...each(["platform.example.com/mlflow", "ftp://x/y", "//x/y", "HTTPS://x/y"], "begins with https:// or http://"),
  ...each([`${base}/`, `${base}/clusters/c1/mlflow/`, "https://"], "no slash at its end"),
  ...each([`${base}/mlflow?a=b`, `${base}/mlflow#x`, `${base}/mlflow?`], "neither query nor fragment"),
  ...each(
    [
      `${base}/../mlflow`,
      `${base}/./mlflow`,
      `${base}/a/..`,
      `${base}//mlflow`,
      `${base}/a//mlflow`,
      `${base}/a b`,
      `${base}/a%2fb`,
      `${base}/a\\b`,
      `${base}/{{x}}`,
      `${base}/a;b`,
      `${base}/a,b`,
      "https://user@platform.example.com/a",
      "https://user:secret@platform.example.com",
      "https:///a",
      "https://platform.example.com:x/a",
      `${base}/$(HOME)`,
      `${base}/<script>`,
      `${base}/ä`,
    ],
    "letters, digits, -, _, . and ~",
  ),
  ...each([`${base}/api`, `${base}/api/x`, `${base}/oauth2`, `${base}/health/x`, `${base}/v1/mlflow`], "MLflow's own"),
  wrong(proxied)("another redirect URL of the proxy", { [path]: base }, "spec.proxy.redirectUrl", "leave it out"),
  wrong(proxied)(
    "http before a proxy",
    { [path]: "http://platform.example.com/a", "spec.proxy.redirectUrl": undefined },
    path,
    "with proxy, exposure.externalUrl begins with https://",
  ),
  wrong(oidcInFull)(
    "another redirect URL of the plugin",
    { [path]: `${base}/a` },
    "spec.authentication.oidc.redirectUrl",
    "leave it out",
  ),
];
