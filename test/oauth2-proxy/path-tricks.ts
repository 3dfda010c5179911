const starts = ["/", "/oauth2/", "/oauth2/auth/", "/ping/", "/ready/", "/health/", "/static-files/", "/oauth2/static/"];
const steps = ["..", "%2e%2e", "..;", ".%2e", "%2e%2e%2f..", "..%2f.."];

/** Paths that may resolve to another path through one that is public in some setups. */
export function pathTricks(target: string): readonly string[] {
  return [
    ...starts.flatMap((start) => steps.map((step) => `${start}${step}${target}`)),
    `/${target}`,
    `/.${target}`,
    `${target.replace("/api/", "/api%2f")}`,
    `${target};/health`,
    `${target}?/health`,
    `/health?${target}`,
  ];
}
