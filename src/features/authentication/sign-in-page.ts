import type { ExternalAddress } from "../../model/exposure.ts";

/** The file name of the template in oauth2-proxy. */
export const signInPageName = "sign_in.html";

/**
 * Returns the page that browsers get instead of a redirect to the login if there is a prefix: only the browser knows the whole path
 * to return to. The proxy's own paths are below the prefix. If a browser gets this page there, other than at `sign_in`, a gateway
 * strips the prefix, and the page redirects to a path with the prefix twice.
 */
export function signInPage({ url, origin, prefix }: ExternalAddress): string {
  return `{{define "sign_in.html"}}<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Sign in</title>
<noscript>Signing in needs a browser that runs scripts, as MLflow does.</noscript>
<script>
const prefix = ${JSON.stringify(prefix)}, own = prefix + "/oauth2/";
const { origin, pathname, search, hash } = location;
const start = (proxy, back) => proxy + "start?rd=" + encodeURIComponent(back);
let next;
if (origin !== ${JSON.stringify(origin)} || !(pathname + "/").startsWith(prefix + "/")) next = ${JSON.stringify(url)} + "/" + hash;
else if (pathname === own + "sign_in") next = start(own, prefix + "/");
else if (pathname === prefix + own + "sign_in") next = start(prefix + own, prefix + "/");
else if (pathname.startsWith(own)) next = prefix + pathname + search;
else next = start(own, (pathname === prefix ? prefix + "/" : pathname) + search + hash);
location.replace(next);
</script>
{{end}}
`;
}
