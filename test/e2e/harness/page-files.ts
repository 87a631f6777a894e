/**
 * The files that a page of the docs shows: blocks of code whose first comment names them. They are
 * written into a folder within the package, so that its imports resolve as in a program that has
 * it, and compiled with all their types.
 */
import { execFile } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT, read } from "../../tidy/repository.js";

const execute = promisify(execFile);

const CONFIGURATION = {
  compilerOptions: {
    module: "nodenext",
    target: "es2022",
    lib: ["ES2023", "ESNext.Disposable"],
    types: ["node"],
    strict: true,
    noUncheckedIndexedAccess: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: true,
    noEmitOnError: true,
  },
  include: ["*.ts"],
};

const NAME = /^(?:#!.*\n)?(?:\/\/|#) ([\w.-]+\.(?:ts|sh))\b/;

export const blocksOf = (page: string, language: string): string[] =>
  [...read(page).matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, "gms"))].map(
    match => match[1] ?? "",
  );

export class PageFiles {
  readonly folder: string;
  /** The names of the files. */
  readonly names: readonly string[];

  private constructor(folder: string, names: readonly string[]) {
    this.folder = folder;
    this.names = names;
  }

  /** `more`: files that stand beside those of the page, by name. */
  static async of(page: string, more: Readonly<Record<string, string>> = {}): Promise<PageFiles> {
    mkdirSync(join(ROOT, "dist"), { recursive: true });
    const folder = mkdtempSync(join(ROOT, "dist/page-"));
    const named = [...blocksOf(page, "ts"), ...blocksOf(page, "sh")].flatMap(
      (code): [string, string][] => {
        const name = NAME.exec(code)?.[1];
        return name === undefined ? [] : [[name, code]];
      },
    );
    for (const [name, code] of [...named, ...Object.entries(more)]) {
      writeFileSync(join(folder, name), code);
      if (name.endsWith(".sh")) chmodSync(join(folder, name), 0o755);
    }
    writeFileSync(join(folder, "tsconfig.json"), JSON.stringify(CONFIGURATION));
    const files = new PageFiles(
      folder,
      named.map(([name]) => name),
    );
    await execute(join(ROOT, "node_modules/.bin/tsc"), ["-p", folder]).catch(error => {
      files.remove();
      throw new Error(`${page} does not compile:\n${(error as { stdout: string }).stdout}`);
    });
    return files;
  }

  /** Runs one of them; what it wrote to stdout. Rejects unless it ends with 0. */
  async run(name: string, env: NodeJS.ProcessEnv): Promise<string> {
    const program = join(this.folder, name.replace(/\.ts$/, ".js"));
    const options = { cwd: this.folder, env: { ...process.env, ...env }, timeout: 60_000 };
    return (await execute(process.execPath, [program], options)).stdout;
  }

  /** The URL of a compiled one, to import it. */
  url(name: string): string {
    return new URL(name.replace(/\.ts$/, ".js"), `file://${this.folder}/`).href;
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
