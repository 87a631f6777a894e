/** Every script under testdata says again what is recorded in it. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { runScript } from "./script.js";

const folder = new URL("./testdata/", import.meta.url);

for (const name of readdirSync(folder).filter(file => file.endsWith(".txt"))) {
  test(`the state says what is recorded in ${name}`, () => {
    const file = new URL(name, folder);
    const recorded = readFileSync(file, "utf8");
    const said = runScript(recorded);
    if (process.env.REWRITE === "1") writeFileSync(file, said);
    else expect(said).toBe(recorded);
  });
}
