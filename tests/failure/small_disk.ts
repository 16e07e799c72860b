/** A disk of a few megabytes, which can be filled. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";

/** Why no disk can be made here; `undefined`: one can. */
export function noDisk(): string | undefined {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "only root on Linux makes a small disk";
  const folder = mkdtempSync(join(tmpdir(), "hero-disk-"));
  try {
    if (mount(folder)) unmount(folder);
    else return "this system lets nobody mount a small disk";
  } finally {
    rmdirSync(folder);
  }
}

/** Mounts a disk in memory on an empty folder; gives whether it could. */
export function mount(folder: string, megabytes = 8): boolean {
  return spawnSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", folder]).status === 0;
}

/** Takes it away, with all that is on it. */
export function unmount(folder: string): void {
  const { status, stderr } = spawnSync("umount", [folder], { encoding: "utf8" });
  if (status !== 0) throw new Error(`Cannot unmount ${folder}: ${stderr}`);
}

/** Makes a file of all the room that is left: the last write fills what is left of it. */
export function fillUp(path: string): void {
  while (wrote(path, 65_536));
}

function wrote(path: string, bytes: number): boolean {
  try {
    writeFileSync(path, new Uint8Array(bytes), { flag: "a" });
    return true;
  } catch {
    return false;
  }
}
