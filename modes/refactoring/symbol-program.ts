import { ModuleKind, ModuleResolutionKind, Project, ScriptTarget, ts } from 'ts-morph';
import type { ModuleResolver } from './module-resolver.ts';
import { isDeclarationFile } from './paths.ts';
import type { Workspace } from './workspace.ts';

/**
 * One type-checked view over chosen files of a workspace. It lives in memory: nothing outside the chosen files is ever read.
 * With `linked: false` the files do not see each other and there are no libraries, which is enough to ask what a name is bound to.
 */
export class SymbolProgram {
  readonly checker: ts.TypeChecker;
  readonly service: ts.LanguageService;
  readonly #program: ts.Program;
  readonly #paths: string[];

  constructor(workspace: Workspace, resolver: ModuleResolver, paths: string[], { linked = true } = {}) {
    const loaded = new Set(paths);
    const project = new Project({
      useInMemoryFileSystem: true,
      compilerOptions: {
        target: ScriptTarget.ESNext,
        module: ModuleKind.ESNext,
        moduleResolution: ModuleResolutionKind.Bundler,
        ...(linked ? { lib: ['lib.esnext.d.ts'] } : { noLib: true, noResolve: true }),
        jsx: ts.JsxEmit.Preserve,
        allowJs: true,
        strict: true,
        esModuleInterop: true,
        allowImportingTsExtensions: true,
        resolveJsonModule: true,
        noEmit: true,
        types: [],
      },
      resolutionHost: () => ({
        resolveModuleNames: (specifiers: string[], containingFile: string) =>
          specifiers.map((specifier) => {
            const path = resolver.resolve(specifier, workspacePath(containingFile));
            if (path === undefined || !loaded.has(path)) return undefined;
            return {
              resolvedFileName: programPath(path),
              extension: extensionOf(path),
              isExternalLibraryImport: false,
            };
          }),
      }),
    });
    for (const path of paths) project.createSourceFile(programPath(path), workspace.read(path) ?? '');
    this.#paths = paths;
    this.#program = project.getProgram().compilerObject;
    this.checker = this.#program.getTypeChecker();
    this.service = project.getLanguageService().compilerObject;
  }

  /** The files chosen, without libraries. */
  get files(): ts.SourceFile[] {
    return this.#paths.flatMap((path) => this.file(path) ?? []);
  }

  file(path: string): ts.SourceFile | undefined {
    return this.#program.getSourceFile(programPath(path));
  }

  /** Whether a declaration comes from TypeScript's own libraries. */
  isLibrary(file: ts.SourceFile): boolean {
    return this.#program.isSourceFileDefaultLibrary(file);
  }

  hasSyntaxErrors(file: ts.SourceFile): boolean {
    return this.#program.getSyntacticDiagnostics(file).length > 0;
  }

  /** Errors that mean a name is not found or is declared twice, in one file. */
  nameErrors(path: string): string[] {
    const file = this.file(path);
    if (!file) return [];
    return this.#program
      .getSemanticDiagnostics(file)
      .filter(({ code }) => nameErrorCodes.has(code))
      .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, ' '));
  }
}

const nameErrorCodes = new Set([2300, 2304, 2305, 2395, 2440, 2451, 2459, 2460, 2503, 2552, 2614, 2694, 2724, 18_004]);

export function programPath(path: string): string {
  return `/${path}`;
}

export function workspacePath(fileName: string): string {
  return fileName.slice(1);
}

function extensionOf(path: string): ts.Extension {
  const extension = Object.values(ts.Extension).find((one) => path.endsWith(one));
  return isDeclarationFile(path) ? ts.Extension.Dts : (extension ?? ts.Extension.Ts);
}

/** Calls `visit` on every node of a file, those in JSDoc comments too. */
export function visitNodes(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  for (const doc of ts.getJSDocCommentsAndTags(node)) if (doc.parent === node) visitNodes(doc, visit);
  ts.forEachChild(node, (child) => visitNodes(child, visit));
}
