/** Who this process is, in the eyes of those who wait for it. */
import { hostname, userInfo } from "node:os";

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? "unknown"); // a container's user without a name
  }
}

/** Who sits before it: `user@host`. */
export const defaultAsker = (): string => `${userName()}@${hostname()}`;

/** `user@host:pid` */
export const defaultOwner = (): string => `${defaultAsker()}:${process.pid}`;
