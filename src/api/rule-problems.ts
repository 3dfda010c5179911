import {
  type CelFunc,
  type CelInput,
  CelScalar,
  celEnv,
  celFunc,
  celMethod,
  isCelError,
  parse,
  plan,
} from "@bufbuild/cel";
import { child, type FieldProblem, invalid } from "./field-problem.ts";
import { celName, type Rule } from "./fields/rule.ts";
import { quantityOf } from "./quantity.ts";
import type { StructuralSchema } from "./structural-schema.ts";
import { fieldOf, isObject } from "./structure.ts";

/** The extensions of CEL in Kubernetes (k8s.io/apiserver, cel/library) that the rules use. A quantity is a double here. */
const kubernetesFunctions: CelFunc[] = [
  celFunc("isQuantity", [CelScalar.STRING], CelScalar.BOOL, (text) => quantityOf(text) !== undefined),
  celFunc("quantity", [CelScalar.STRING], CelScalar.DOUBLE, (text) => {
    const number = quantityOf(text);
    if (number === undefined) throw new Error(`${text} is not a quantity`);
    return number;
  }),
  celMethod("add", CelScalar.DOUBLE, [CelScalar.INT], CelScalar.DOUBLE, function (whole) {
    return this + Number(whole);
  }),
  celMethod("compareTo", CelScalar.DOUBLE, [CelScalar.DOUBLE], CelScalar.INT, function (other) {
    return BigInt(Math.sign(this - other));
  }),
];

/** The results of `matches` for short texts: the engine compiles the pattern for each text, which takes most of the time of a validation. */
const matched = new Map<string, boolean>();
const cacheLimits = { entries: 20_000, characters: 256 };
const matches = celEnv().funcs.find("matches");

function isMatch(pattern: string, text: string): boolean {
  const key = `${pattern}\0${text}`;
  const known = matched.get(key);
  if (known !== undefined) return known;
  const result = matches?.call(0, text, [pattern]);
  if (isCelError(result)) throw new Error(result.message, { cause: result });
  if (text.length <= cacheLimits.characters) {
    if (matched.size >= cacheLimits.entries) matched.clear();
    matched.set(key, result === true);
  }
  return result === true;
}

const environment = celEnv({
  funcs: kubernetesFunctions,
  re2: { compile: (pattern) => ({ test: (text) => isMatch(pattern, text) }) },
});

/**
 * The problems that the API server would report for a value that violates CEL rules on creation: rules that compare with
 * `oldSelf` are skipped. The value must match the structure of the schema.
 */
export function ruleProblems(schema: StructuralSchema, value: unknown, path: string): FieldProblem[] {
  const rules = schema["x-kubernetes-validations"] ?? [];
  const self = rules.length > 0 ? celInput(schema, value) : null;
  const violated = rules.flatMap((rule) => problemOf(rule, self, value, path));
  if (Array.isArray(value)) {
    const { items } = schema;
    return [
      ...violated,
      ...(items ? value.flatMap((item, index) => ruleProblems(items, item, `${path}[${index}]`)) : []),
    ];
  }
  if (!isObject(value)) return violated;
  const below = Object.entries(value).flatMap(([name, content]) => {
    const field = fieldOf(schema, name);
    return field ? ruleProblems(field, content, schema.properties ? child(path, name) : `${path}[${name}]`) : [];
  });
  return [...violated, ...below];
}

function problemOf(rule: Rule, self: CelInput, value: unknown, path: string): FieldProblem[] {
  if (/\boldSelf\b/.test(rule.rule)) return [];
  const holds = evaluated(rule.rule, self);
  if (holds === true) return [];
  const detail =
    (rule.messageExpression && textOf(evaluated(rule.messageExpression, self))) ??
    rule.message ??
    `failed rule: ${rule.rule}`;
  const field =
    rule.fieldPath === undefined ? path : `${path}${path === "" ? rule.fieldPath.slice(1) : rule.fieldPath}`;
  const bodies = {
    FieldValueInvalid: invalid(value, detail),
    FieldValueForbidden: `Forbidden: ${detail}`,
    FieldValueRequired: `Required value: ${detail}`,
  };
  return [{ field, body: bodies[rule.reason ?? "FieldValueInvalid"], blocking: false }];
}

/** Parsed once: many fields have the same rule. */
const programs = new Map<string, ReturnType<typeof plan>>();

/** Throws if the expression itself is wrong, which the tests of the schema detect. */
function evaluated(expression: string, self: CelInput): unknown {
  const program = programs.get(expression) ?? plan(environment, parse(expression));
  programs.set(expression, program);
  const result = program({ self });
  if (isCelError(result)) throw new Error(`CEL: ${result.message} in ${expression}`, { cause: result });
  return result;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** JSON as CEL values: integers are ints, and fields that are not in the schema are left out. */
function celInput(schema: StructuralSchema, value: unknown): CelInput {
  if (typeof value === "number") return BigInt(value);
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (Array.isArray(value)) return value.map((item) => (schema.items ? celInput(schema.items, item) : null));
  if (!isObject(value)) return null;
  const fields = Object.entries(value).flatMap(([name, content]): [string, CelInput][] => {
    const field = fieldOf(schema, name);
    return field ? [[celName(name), celInput(field, content)]] : [];
  });
  return new Map(fields);
}
