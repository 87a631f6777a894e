/** Takes the program's uncaught errors in place of the test runner, which would fail the run. */
import { onTestFinished } from "vitest";

/** What nobody caught from now on, to the end of the test. */
export function uncaughtErrors(): readonly unknown[] {
  const errors: unknown[] = [];
  const others = process.listeners("uncaughtException");
  const note = (error: unknown): void => void errors.push(error);
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", note);
  onTestFinished(() => {
    process.off("uncaughtException", note);
    for (const other of others) process.on("uncaughtException", other);
  });
  return errors;
}
