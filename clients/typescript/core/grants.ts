/** The grants that hang on one lease, in the order in which they came. */
import { Chain } from "./chain.js";
import type { Dependant } from "./lease.js";

export class Grants extends Chain<Dependant> {
  /** The grant with that key. Looks at all: this is for the rare. */
  find(keyId: string): Dependant | undefined {
    for (const grant of this) if (grant.hasKey(keyId)) return grant;
    return undefined;
  }

  /** All there are now, so that whoever goes through them may take some out. */
  all(): Dependant[] {
    return [...this];
  }
}
