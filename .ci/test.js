// `npm test`: builds, lints and runs every test, then says `N passed, N failed` alone on the last
// line. Ends with a status other than 0 when any step failed. Each step that is not a test counts
// as one test, so that a broken build cannot hide behind passing tests.
import { spawn, spawnSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const bin = name => join(root, "node_modules", ".bin", name);
let passed = 0;
let failed = 0;

function run(title, command, args) {
  const startedMs = Date.now();
  console.log(`\n== ${title}`);
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: "inherit" });
  if (error) console.error(String(error));
  return ended(title, status, startedMs);
}

function ended(title, status, startedMs) {
  const seconds = ((Date.now() - startedMs) / 1000).toFixed(1);
  const ok = status === 0;
  console.log(`== ${title}: ${ok ? "ok" : `failed with status ${status}`} (${seconds} s)`);
  return ok;
}

function countStep(ok) {
  if (ok) passed += 1;
  else failed += 1;
}

function step(title, command, args) {
  countStep(run(title, command, args));
}

/** Runs on what the steps leave of the processor; says what it said when it is awaited. */
function beside(title, command, args) {
  const startedMs = Date.now();
  const directory = mkdtempSync(join(tmpdir(), "holdfast-test-"));
  const path = join(directory, "output");
  const output = openSync(path, "w");
  const child = spawn("nice", ["-n", "15", command, ...args], {
    cwd: root,
    stdio: ["ignore", output, output],
  });
  closeSync(output);
  return new Promise(resolve => {
    const end = status => {
      console.log(`\n== ${title}\n${readFileSync(path, "utf8")}`);
      rmSync(directory, { recursive: true, force: true });
      resolve(ended(title, status, startedMs));
    };
    child.once("error", error => end(String(error)));
    child.once("exit", (status, signal) => end(status ?? signal));
  });
}

/** Counts vitest's own report: tests, and files that could not even be loaded. */
function count(report) {
  const { testResults } = JSON.parse(readFileSync(report, "utf8"));
  const counts = { passed: 0, failed: 0, other: 0 };
  for (const file of testResults) {
    for (const { status } of file.assertionResults) {
      if (status === "passed") counts.passed += 1;
      else if (status === "failed") counts.failed += 1;
      else counts.other += 1;
    }
    const broken = file.status === "failed";
    if (broken && !file.assertionResults.some(t => t.status === "failed")) counts.failed += 1;
  }
  return counts;
}

function tests() {
  const directory = mkdtempSync(join(tmpdir(), "holdfast-test-"));
  const report = join(directory, "report.json");
  try {
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const config = ["run", "--config", "test/vitest.config.ts"];
    const ok = run("tests", bin("vitest"), [...config, ...reporters, ...process.argv.slice(2)]);
    const counts = count(report);
    passed += counts.passed;
    failed += counts.failed;
    // An unhandled error fails the run without failing a test.
    if (!ok && counts.failed === 0) failed += 1;
    if (counts.other > 0) console.log(`${counts.other} tests were not run`);
  } catch (error) {
    console.error(`the tests left no report: ${error.message}`);
    failed += 1;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

// In .ci/run: what takes minutes and has a command of its own.
const withSimulator = process.env.CI_SIMULATOR === "1";

step("build", "npm", ["run", "--silent", "build"]);
const simulator = withSimulator
  ? beside("simulator: seeds and planted bugs", "node", ["dist/sim/main.js", "ci"])
  : null;
step("lint", bin("biome"), ["check", "--error-on-warnings", "."]);
tests();
if (simulator !== null) countStep(await simulator);

console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
