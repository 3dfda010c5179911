import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type CronTimes, cronTimes } from "../../src/api/cron.ts";

function timesOf(schedule: string, timeZone?: string): CronTimes {
  const times = cronTimes(schedule, timeZone);
  assert.ok(!("problem" in times), schedule);
  return times;
}

const iso = (time: Date | undefined) => time?.toISOString().replace(":00.000Z", "Z");

describe("the times of a cron schedule", () => {
  const now = new Date("2026-01-31T18:10:30Z");

  test("are those after and before a time", () => {
    const cases: readonly (readonly [string, string, string])[] = [
      ["0 2 * * *", "2026-01-31T02:00Z", "2026-02-01T02:00Z"],
      ["@daily", "2026-01-31T00:00Z", "2026-02-01T00:00Z"],
      ["@hourly", "2026-01-31T18:00Z", "2026-01-31T19:00Z"],
      ["*/15 8-18 * * MON-fri", "2026-01-30T18:45Z", "2026-02-02T08:00Z"],
      ["30 4 1,15 * *", "2026-01-15T04:30Z", "2026-02-01T04:30Z"],
      ["0 0 * * 7", "2026-01-25T00:00Z", "2026-02-01T00:00Z"],
      // With both, one of them is enough.
      ["0 0 13 * 5", "2026-01-30T00:00Z", "2026-02-06T00:00Z"],
      ["0 3 29 2 *", "2024-02-29T03:00Z", "2028-02-29T03:00Z"],
    ];
    for (const [schedule, latest, next] of cases) {
      const times = timesOf(schedule);
      assert.deepEqual([iso(times.latest(now)), iso(times.next(now))], [latest, next], schedule);
    }
  });

  test("include the given time itself as the latest", () => {
    const times = timesOf("0 2 * * *");
    for (const time of ["2026-01-31T02:00:00.000Z", "2026-01-31T02:00:00.999Z"])
      assert.equal(iso(times.latest(new Date(time))), "2026-01-31T02:00Z");
    assert.equal(iso(times.latest(new Date("2026-01-31T01:59:59.999Z"))), "2026-01-30T02:00Z");
    assert.equal(iso(times.next(new Date("2026-01-31T02:00:00Z"))), "2026-02-01T02:00Z");
  });

  test("are in the time zone, also when its clock changes", () => {
    const times = timesOf("30 2 * * *", "Europe/Berlin");
    const next = (after: string) => iso(times.next(new Date(after)));
    assert.equal(next("2026-01-31T18:00:00Z"), "2026-02-01T01:30Z");
    assert.equal(next("2026-07-31T18:00:00Z"), "2026-08-01T00:30Z");
    // 02:30 does not exist on that day, and exists twice on the other.
    assert.equal(next("2026-03-28T18:00:00Z"), "2026-03-29T01:00Z");
    assert.equal(next("2026-10-24T18:00:00Z"), "2026-10-25T00:30Z");
    assert.equal(next("2026-10-25T00:30:00Z"), "2026-10-26T01:30Z");
  });

  test("forwards and backwards are the same", () => {
    for (const zone of ["Etc/UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]) {
      for (const schedule of ["30 2 * * *", "15 1,2,3 * * *", "0 * * * *"]) {
        const times = timesOf(schedule, zone);
        let before = times.next(new Date("2026-03-25T00:00:00Z"));
        for (let count = 0; count < 40; count += 1) {
          assert.ok(before !== undefined);
          const next = times.next(before);
          assert.ok(next !== undefined && next > before);
          const text = `${schedule} ${zone} ${next.toISOString()}`;
          assert.equal(iso(times.latest(next)), iso(next), text);
          assert.equal(iso(times.latest(new Date(next.getTime() - 1000))), iso(before), text);
          before = next;
        }
      }
    }
  });

  test("do not exist for a schedule without times and for an unknown time zone", () => {
    const problem = (schedule: string, zone?: string) => {
      const times = cronTimes(schedule, zone);
      return "problem" in times ? times.problem.field : undefined;
    };
    assert.equal(problem("0 0 30 2 *"), "schedule");
    assert.equal(problem("30-10 * * * *"), "schedule");
    assert.equal(problem("* * * * * *"), "schedule");
    assert.equal(problem("0 2 * * *", "Europe/Nowhere"), "timeZone");
    assert.equal(problem("0 2 * * *", "UTC"), undefined);
  });
});
