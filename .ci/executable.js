// The compiler's output is not executable; `npx holdfast` in the checkout needs it to be.
import { chmodSync, existsSync } from "node:fs";

const command = new URL("../dist/cli/main.js", import.meta.url);
if (existsSync(command)) chmodSync(command, 0o755);
