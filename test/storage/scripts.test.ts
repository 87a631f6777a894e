/** Runs the chapters in testdata/. `REWRITE=1` records what happens now. */
import { testChapters } from "../chapters.js";
import { Script } from "./script.js";

testChapters(new URL("./testdata/", import.meta.url), () => new Script());
