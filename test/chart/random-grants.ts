import { seededRandom } from "../support/seeded-random.ts";

type Labels = { readonly [key: string]: string };
type Selector = { readonly matchLabels?: Labels };

/** The fields of `spec.workspaces` that grant roles. */
export interface Workspaces {
  readonly selector?: Selector;
  readonly access: readonly Grant[];
}
interface Grant {
  readonly role: string;
  readonly subjects: readonly { readonly kind: "Group"; readonly name: string }[];
  readonly namespaces?: readonly string[];
  readonly selector?: Selector;
}

const names = ["team-a", "team-b", "team-c"];
const groups = ["science", "audit", "leads"];
const labels: readonly Labels[] = ["", "x", "y"].flatMap((tier) =>
  ["", "a"].map((team) => ({ ...(tier && { tier }), ...(team && { team }) })),
);

/** The grants of a server before and after a random change, which is often a small one. */
export function randomChange(seed: number): { readonly before: Workspaces; readonly after: Workspaces } {
  const next = seededRandom(seed);
  const chance = (share: number) => next() < share;
  const pick = <T>(items: readonly [T, ...T[]] | readonly T[]): T => {
    const item = items[Math.floor(next() * items.length)];
    if (item === undefined) throw new Error("The list is empty.");
    return item;
  };
  const some = <T>(items: readonly T[]): readonly T[] => {
    const found = items.filter(() => chance(0.6));
    return found.length > 0 ? found : [pick(items)];
  };
  const selector = (): Selector => (chance(0.3) ? {} : { matchLabels: pick(labels) });
  const place = () => (chance(0.5) ? { namespaces: some(names) } : { selector: selector() });
  const subjects = () => some(groups).map((name) => ({ kind: "Group" as const, name }));
  const grant = (): Grant => ({ role: pick(["Viewer", "Editor"]), subjects: subjects(), ...place() });
  const workspaces = (): Workspaces => ({
    ...(chance(0.6) && { selector: selector() }),
    access: Array.from({ length: 1 + Math.floor(next() * 3) }, grant),
  });
  const near = (former: Grant): Grant => {
    const { role, subjects: all, ...where } = former;
    if (chance(0.3)) return former;
    if (chance(0.4)) return { ...former, subjects: some(all) };
    if (chance(0.1)) return { role: pick(["Viewer", "Editor"]), subjects: all, ...where };
    return where.namespaces !== undefined && chance(0.6)
      ? { role, subjects: all, namespaces: some(where.namespaces) }
      : { role, subjects: all, ...place() };
  };
  const before = workspaces();
  if (chance(0.3)) return { before, after: workspaces() };
  const kept = before.access.filter(() => chance(0.8)).map(near);
  const chosen = chance(0.6) ? before.selector : selector();
  return { before, after: { ...(chosen !== undefined && { selector: chosen }), access: kept } };
}

/** All combinations of role, subject and namespace that are granted, for all labels that a namespace can have. */
export function reach({ selector, access }: Workspaces): ReadonlySet<string> {
  const found = new Set<string>();
  for (const name of names)
    for (const those of labels.filter((each) => has(each, selector)))
      for (const grant of access)
        if (grant.namespaces === undefined ? has(those, grant.selector) : grant.namespaces.includes(name))
          for (const subject of grant.subjects)
            found.add(`${grant.role} ${subject.name} ${name} ${JSON.stringify(those)}`);
  return found;
}

function has(those: Labels, selector: Selector = {}): boolean {
  return Object.entries(selector.matchLabels ?? {}).every(([key, value]) => those[key] === value);
}
