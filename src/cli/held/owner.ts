/** Who this process is, in the eyes of those who wait for it. */
import { hostname, userInfo } from "node:os";

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? "unknown"); // a container's user without a name
  }
}

/** `user@host:pid` */
export const defaultOwner = (): string => `${userName()}@${hostname()}:${process.pid}`;
