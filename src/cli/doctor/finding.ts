import type { Checked } from "./checks.ts";

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

const results = { ok: "ok", problem: "PROBLEM", notChecked: "not checked" } as const;

/** Returns the findings, each with its check and result; problems with effect and fix. The last line counts them. */
export function doctorText(checked: readonly Checked[]): string {
  const width = Math.max(...checked.map(({ check }) => check.length));
  const lines = checked.flatMap(({ check, findings }) =>
    findings.flatMap((finding) =>
      textOf(finding).map((line, index) => {
        const head =
          index === 0 ? `${results[finding.result].padEnd(11)}  ${check.padEnd(width)}` : " ".repeat(width + 13);
        return `${head}  ${line}\n`;
      }),
    ),
  );
  const count = (result: Finding["result"]) =>
    checked.flatMap(({ findings }) => findings).filter((finding) => finding.result === result).length;
  const problems = count("problem");
  return `${lines.join("")}${problems} problem${problems === 1 ? "" : "s"}, ${count("ok")} ok, ${count("notChecked")} not checked\n`;
}

function textOf(finding: Finding): string[] {
  if (finding.result === "ok") return [finding.message];
  if (finding.result === "notChecked") return [`${finding.reason}.`];
  const { object, message, effect, fix } = finding;
  return [`${object}: ${message}`, `Effect: ${effect}`, `Fix: ${fix}`];
}
