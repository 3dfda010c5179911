import type { Checked } from "./checks.ts";
import type { Finding } from "./finding.ts";

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
