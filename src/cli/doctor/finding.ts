/** What a check has found. */
export type Finding =
  | { readonly result: "ok"; readonly message: string }
  | {
      readonly result: "problem";
      /** Kind and name of the object. */
      readonly object: string;
      readonly message: string;
      /** What it causes. */
      readonly effect: string;
      readonly fix: string;
    }
  | { readonly result: "notChecked"; readonly reason: string };

export function ok(message: string): Finding {
  return { result: "ok", message };
}

export function notChecked(reason: string): Finding {
  return { result: "notChecked", reason };
}

export function problem(object: string, message: string, effect: string, fix: string): Finding {
  return { result: "problem", object, message, effect, fix };
}

/** The problems, or `otherwise` if there is none. */
export function problemsOr(problems: readonly Finding[], otherwise: Finding): readonly Finding[] {
  return problems.length > 0 ? problems : [otherwise];
}
