/**
 * Returns a regular expression (RE2, which has no negation) for every path with query except pages: `/`, the prefix with and
 * without a slash, and paths below `/oauth2/`, which belong to oauth2-proxy if a gateway strips the prefix. Only a browser
 * that opens a page is redirected to the login; all other requests are from programs or from scripts of a page.
 */
export function apiRoute(prefix: string): string {
  if (prefix === "") return "^/[^?]";
  const page = prefix.slice(1);
  return `^/${otherThan(["", page, `${page}/`], "oauth2/")}`;
}

/** Returns an expression for every rest of a path that is not one of these pages or below the tree. */
function otherThan(pages: readonly string[], tree: string | undefined): string {
  const all = tree === undefined ? pages : [...pages, tree];
  const next = [...new Set(all.flatMap((each) => each.slice(0, 1)))].filter((letter) => letter !== "").sort();
  const isPage = pages.includes("");
  const from = (each: string, letter: string) => (each.startsWith(letter) ? [each.slice(1)] : []);
  const further = next.flatMap((letter) => {
    const restOfTree = tree?.startsWith(letter) ? tree.slice(1) : undefined;
    if (restOfTree === "") return [];
    const rest = pages.flatMap((each) => from(each, letter));
    return [`${letter === "." ? "[.]" : letter}${otherThan(rest, restOfTree)}`];
  });
  // The hyphen is last, so that it does not define a range.
  const letters = [
    ...next.filter((letter) => letter !== "-"),
    ...(isPage ? ["?"] : []),
    ...next.filter((l) => l === "-"),
  ];
  return `(${[`[^${letters.join("")}]`, ...(isPage ? [] : ["$"]), ...further].join("|")})`;
}
