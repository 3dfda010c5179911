import type { MlflowBackup } from "../api/backup.ts";
import type { MlflowBackupSchedule } from "../api/backup-schedule.ts";
import { Store } from "../kube/client/store.ts";
import type { Key } from "../kube/object.ts";
import { byNamespace, namespaceEntry } from "./indexes.ts";
import { type Scope, Scoped } from "./scoped.ts";
import { trimmed } from "./trimmed.ts";
import type { Watches } from "./watches.ts";

/** The MlflowBackups and MlflowBackupSchedules. They are watched without servers as well: they report that their server does not exist. */
export class BackupRequests {
  readonly #onChange: (scope: Scope, server: Key) => void;
  readonly #onBackup: (scope: Scope, backup: Key) => void;
  readonly #backups: Scoped<Store<MlflowBackup>>;
  readonly #schedules: Scoped<Store<MlflowBackupSchedule>>;

  /** `onChange` is called for each change, with the server that it names, and `onBackup` for each change of an MlflowBackup. */
  constructor(
    isNamespaced: boolean,
    onChange: (scope: Scope, server: Key) => void,
    onBackup: (scope: Scope, backup: Key) => void,
  ) {
    this.#onChange = onChange;
    this.#onBackup = onBackup;
    this.#backups = new Scoped(isNamespaced);
    this.#schedules = new Scoped(isNamespaced);
  }

  start(watches: Watches, scope: Scope): Promise<boolean>[] {
    const changed = (_change: unknown, { metadata: { namespace }, spec }: MlflowBackup | MlflowBackupSchedule) =>
      this.#onChange(scope, { namespace, name: spec.serverRef.name });
    const options = { indexesOf: byNamespace, isCustom: true };
    const backupChanged = (change: unknown, backup: MlflowBackup) => {
      const { namespace, name } = backup.metadata;
      changed(change, backup);
      this.#onBackup(scope, { namespace, name });
    };
    const backups = this.#backups.set(scope, new Store<MlflowBackup>(backupChanged, options));
    const schedules = this.#schedules.set(scope, new Store<MlflowBackupSchedule>(changed, options));
    return [
      watches.start({ kind: "MlflowBackup", scope, handler: backups }),
      watches.start({ kind: "MlflowBackupSchedule", scope, handler: schedules }),
    ];
  }

  /** The names of the servers that requests in a scope name. */
  serversIn(scope: Scope): string[] {
    const requests = [...(this.#backups.get(scope)?.all() ?? []), ...(this.#schedules.get(scope)?.all() ?? [])];
    return requests.map(({ spec }) => spec.serverRef.name);
  }

  readonly backups = (key: Key): MlflowBackup[] => ofServer(this.#backups, key);

  readonly backup = (key: Key): MlflowBackup | undefined => this.#backups.of(key.namespace)?.get(key);

  readonly schedules = (key: Key): MlflowBackupSchedule[] => ofServer(this.#schedules, key);

  readonly allSchedules = (): Iterable<MlflowBackupSchedule> =>
    [...this.#schedules.all()].flatMap((each) => [...each.all()]);

  wrote(backup: MlflowBackup, created: boolean): void {
    this.#backups.of(backup.metadata.namespace)?.wrote(trimmed(backup), created);
  }

  removed(backup: MlflowBackup): void {
    this.#backups.of(backup.metadata.namespace)?.removed(backup);
  }

  reportedSchedule(schedule: MlflowBackupSchedule): void {
    this.#schedules.of(schedule.metadata.namespace)?.wrote(trimmed(schedule), false);
  }
}

function ofServer<T extends MlflowBackup | MlflowBackupSchedule>(
  stores: Scoped<Store<T>>,
  { namespace, name }: Key,
): T[] {
  const all = stores.of(namespace)?.indexed(namespaceEntry(namespace)) ?? [];
  return all.filter(({ spec }) => spec.serverRef.name === name);
}
