import type { DefinitionKind } from './symbols.ts';

/** How definitions look in the syntax trees of a language. */
export interface Language {
  /** Name of the grammar. */
  grammar: string;
  /** Languages of one family refer to each other's definitions. */
  family: string;
  /** Node types that define something. */
  definitions: Record<string, DefinitionKind>;
  /** Node types that are looked into, besides the bodies of classes and modules. */
  containers: ReadonlySet<string>;
  /** Comments and strings, to be left out when identifiers are counted. */
  noise: RegExp;
  /** What is imported: the first group that matched. */
  imports?: RegExp;
}

const cLike = /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g;
const hashLike = /"""[\s\S]*?"""|'''[\s\S]*?'''|#[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g;

const ecmaScript: Omit<Language, 'grammar'> = {
  family: 'ecmascript',
  definitions: {
    function_declaration: 'function',
    generator_function_declaration: 'function',
    function_signature: 'function',
    class_declaration: 'class',
    abstract_class_declaration: 'class',
    interface_declaration: 'interface',
    type_alias_declaration: 'type',
    enum_declaration: 'enum',
    internal_module: 'module',
    module: 'module',
    method_definition: 'method',
    method_signature: 'method',
    abstract_method_signature: 'method',
    variable_declarator: 'constant',
    public_field_definition: 'constant',
    field_definition: 'constant',
    assignment_expression: 'constant',
  },
  containers: new Set([
    'program',
    'export_statement',
    'ambient_declaration',
    'lexical_declaration',
    'variable_declaration',
    'expression_statement',
  ]),
  noise: cLike,
  imports: /\b(?:from|import|require)\s*\(?\s*['"]([^'"\n]+)['"]/g,
};

const cFamily: Language = {
  grammar: 'cpp',
  family: 'c',
  definitions: {
    function_definition: 'function',
    declaration: 'function',
    field_declaration: 'method',
    struct_specifier: 'class',
    class_specifier: 'class',
    union_specifier: 'class',
    enum_specifier: 'enum',
    type_definition: 'type',
    alias_declaration: 'type',
    namespace_definition: 'module',
    preproc_function_def: 'macro',
  },
  containers: new Set([
    'translation_unit',
    'preproc_ifdef',
    'preproc_if',
    'preproc_else',
    'preproc_elif',
    'linkage_specification',
    'declaration_list',
    'template_declaration',
  ]),
  noise: cLike,
  imports: /^[ \t]*#[ \t]*include[ \t]*["<]([^">\n]+)/gm,
};

const languages: Record<string, Language> = {
  typescript: { ...ecmaScript, grammar: 'typescript' },
  tsx: { ...ecmaScript, grammar: 'tsx' },
  javascript: { ...ecmaScript, grammar: 'javascript' },
  python: {
    grammar: 'python',
    family: 'python',
    definitions: { function_definition: 'function', class_definition: 'class', assignment: 'constant' },
    containers: new Set([
      'module',
      'decorated_definition',
      'expression_statement',
      'if_statement',
      'try_statement',
      'block',
    ]),
    noise: hashLike,
    imports: /^[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import|import[ \t]+([\w.]+))/gm,
  },
  go: {
    grammar: 'go',
    family: 'go',
    definitions: {
      function_declaration: 'function',
      method_declaration: 'method',
      type_spec: 'type',
      type_alias: 'type',
      const_spec: 'constant',
      var_spec: 'constant',
    },
    containers: new Set(['source_file', 'type_declaration', 'const_declaration', 'var_declaration', 'var_spec_list']),
    noise: /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\\n]|\\.)*"|`[^`]*`/g,
  },
  rust: {
    grammar: 'rust',
    family: 'rust',
    definitions: {
      function_item: 'function',
      function_signature_item: 'method',
      struct_item: 'class',
      enum_item: 'enum',
      union_item: 'class',
      trait_item: 'interface',
      impl_item: 'module',
      mod_item: 'module',
      type_item: 'type',
      const_item: 'constant',
      static_item: 'constant',
      macro_definition: 'macro',
    },
    containers: new Set(['source_file']),
    // No single quotes: they begin lifetimes as well.
    noise: /\/\/[^\n]*|\/\*[\s\S]*?\*\/|"(?:[^"\\]|\\.)*"/g,
    imports: /^[ \t]*(?:pub(?:\([^)]*\))?[ \t]+)?mod[ \t]+(\w+)[ \t]*;/gm,
  },
  java: {
    grammar: 'java',
    family: 'java',
    definitions: {
      class_declaration: 'class',
      interface_declaration: 'interface',
      annotation_type_declaration: 'interface',
      enum_declaration: 'enum',
      record_declaration: 'class',
      method_declaration: 'method',
      constructor_declaration: 'method',
    },
    containers: new Set(['program', 'enum_body_declarations']),
    noise: cLike,
    imports: /^[ \t]*import[ \t]+(?:static[ \t]+)?([\w.]+)/gm,
  },
  cpp: cFamily,
  'c-sharp': {
    grammar: 'c-sharp',
    family: 'c-sharp',
    definitions: {
      class_declaration: 'class',
      interface_declaration: 'interface',
      struct_declaration: 'class',
      record_declaration: 'class',
      enum_declaration: 'enum',
      method_declaration: 'method',
      constructor_declaration: 'method',
      delegate_declaration: 'type',
    },
    containers: new Set([
      'compilation_unit',
      'namespace_declaration',
      'file_scoped_namespace_declaration',
      'declaration_list',
    ]),
    noise: cLike,
  },
  ruby: {
    grammar: 'ruby',
    family: 'ruby',
    definitions: { class: 'class', module: 'module', method: 'function', singleton_method: 'function' },
    containers: new Set(['program', 'body_statement']),
    noise: /#[^\n]*|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g,
    imports: /^[ \t]*require_relative[ \t]+['"]([^'"\n]+)/gm,
  },
  php: {
    grammar: 'php',
    family: 'php',
    definitions: {
      class_declaration: 'class',
      interface_declaration: 'interface',
      trait_declaration: 'class',
      enum_declaration: 'enum',
      function_definition: 'function',
      method_declaration: 'method',
    },
    containers: new Set(['program', 'namespace_definition', 'compound_statement']),
    noise: cLike,
  },
};

const extensions: Record<string, string> = {
  ts: 'typescript',
  mts: 'typescript',
  cts: 'typescript',
  tsx: 'tsx',
  js: 'javascript',
  mjs: 'javascript',
  cjs: 'javascript',
  jsx: 'javascript',
  py: 'python',
  pyi: 'python',
  go: 'go',
  rs: 'rust',
  java: 'java',
  // The grammar of C++ reads C as well; that of C is not among the packaged ones.
  c: 'cpp',
  h: 'cpp',
  cc: 'cpp',
  cpp: 'cpp',
  cxx: 'cpp',
  hh: 'cpp',
  hpp: 'cpp',
  hxx: 'cpp',
  cs: 'c-sharp',
  rb: 'ruby',
  php: 'php',
};

/** The name of the language that a file is written in, by its extension; undefined where the map knows no more than its name. */
export function languageOf(path: string): string | undefined {
  const extension = path.slice(path.lastIndexOf('.') + 1).toLowerCase();
  return Object.hasOwn(extensions, extension) ? extensions[extension] : undefined;
}

export function languageNamed(name: string): Language {
  return languages[name]!;
}
