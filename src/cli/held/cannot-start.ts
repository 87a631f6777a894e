/** Why CMD was not started, with the exit code that says so. */
export class CannotStart extends Error {
  override readonly name = "CannotStart";
  readonly exitCode: number;
  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}
