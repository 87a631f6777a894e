/**
 * Who holds a TCP port that we wanted, so that the error can name the process. Linux only, from
 * /proc; elsewhere, or where another user's process is out of sight, the answer is null.
 */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

const STATE_LISTEN = "0A";

function listeningInodes(port: number): Set<string> {
  const suffix = `:${port.toString(16).toUpperCase().padStart(4, "0")}`;
  const inodes = new Set<string>();
  for (const table of ["/proc/net/tcp", "/proc/net/tcp6"]) {
    for (const line of readFileSync(table, "latin1").split("\n").slice(1)) {
      const fields = line.trim().split(/\s+/);
      const [, local, , state, , , , , , inode] = fields;
      if (local?.endsWith(suffix) && state === STATE_LISTEN && inode !== undefined) {
        inodes.add(inode);
      }
    }
  }
  return inodes;
}

function holdsSocket(pid: string, inodes: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some(fd => {
      const inode = /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1];
      return inode !== undefined && inodes.has(inode);
    });
  } catch {
    return false; // ended meanwhile, or another user's
  }
}

/** For example `"node" (pid 4711)`, or null when it cannot be told. */
export function portOwner(port: number): string | null {
  try {
    const inodes = listeningInodes(port);
    if (inodes.size === 0) return null;
    const pid = readdirSync("/proc").find(name => /^\d+$/.test(name) && holdsSocket(name, inodes));
    if (pid === undefined) return null;
    const command = readFileSync(`/proc/${pid}/comm`, "utf8").trim();
    return `"${command}" (pid ${pid})`;
  } catch {
    return null; // no /proc here
  }
}
