/**
 * A regular expression (RE2, which has no negation) for every path with query but pages: those are `/`, the prefix with and
 * without a slash, and what is below `/oauth2/`, which is the proxy's own when a gateway strips the prefix. Only a browser
 * that opens a page is led to the login; all else is a program, or a script of a page.
 */
export function apiRoute(prefix: string): string {
  if (prefix === "") return "^/[^?]";
  const page = prefix.slice(1);
  return `^/${otherThan(["", page, `${page}/`], "oauth2/")}`;
}

/** What goes on otherwise than these pages and than a tree of pages. */
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
  // The hyphen last, where it is no range.
  const letters = [
    ...next.filter((letter) => letter !== "-"),
    ...(isPage ? ["?"] : []),
    ...next.filter((l) => l === "-"),
  ];
  return `(${[`[^${letters.join("")}]`, ...(isPage ? [] : ["$"]), ...further].join("|")})`;
}
